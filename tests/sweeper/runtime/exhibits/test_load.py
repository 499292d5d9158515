"""How busy the machine is, measured, kept, read again and drawn."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
import ray  # noqa: F401  # it brings psutil

from sweeper.analysis.reading.loading import load
from sweeper.analysis.slots import slot_use_of
from sweeper.engine.audience import Audience
from sweeper.record.exhibits.load import Load, read_loads
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.runtime.exhibits import load as measuring
from sweeper.runtime.exhibits.load import LoadMeter, shares
from sweeper.views.report.figures.timeline import load_figure
from tests.sweeper.in_process import drive, opened
from tests.sweeper.views.report.test_figures import coloured


def test_the_shares_of_processors_memory_and_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '40, 1000, 8000'\necho '80, 3000, 8000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(measuring, "SOONEST_SECONDS", 0.0)
    folder = RunFolder(tmp_path)
    folder.load.write_bytes(b'{"time": "2026-11-30T00:0')  # torn by a kill
    meter: Any = LoadMeter(folder)
    while not any(load.gpus for load in read_loads(folder.load)):
        meter.refresh(None)
    meter.close(None)
    *_, last = read_loads(folder.load)
    assert (last.gpus, last.gpu_memory) == pytest.approx((0.6, 0.25))
    assert 0 <= last.processors <= 1 and 0 < last.memory < 1
    assert len(folder.load.read_text().splitlines()) == len(read_loads(folder.load))


def test_a_file_that_cannot_be_read_costs_the_measuring_and_not_the_sweep(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    folder.load.mkdir()
    with opened(folder, plan) as sweep:
        audience = Audience(sweep, [LoadMeter(folder)])
        audience.refresh(sweep.state)
        audience.close(sweep.state)
        assert list(sweep.state.failed_watchers) == ["LoadMeter"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", (None, None)),
        ("No devices were found\n", (None, None)),
        ("50, 100, 400\n", (0.5, 0.25)),
        ("[N/A], 100, 400\n", (None, 0.25)),
        ("70, [N/A], [N/A]\n", (0.7, None)),
        ("0, 0, 0\n", (0.0, None)),
    ],
)
def test_what_the_tool_of_the_gpus_says(answer: str, told: tuple[Any, Any]) -> None:
    assert shares(answer) == told


def test_lines_that_are_none_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    assert read_loads(path) == ()
    good = {"time": "2026-11-30T00:00:00+00:00", "processors": 0.5, "memory": 0.25, "gpus": 0.0}
    bad = [{}, [], 1, good | {"memory": 7}, good | {"time": "noon"}, good | {"gpus": "all"}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in [good, *bad]) + '{"ti')
    time = datetime(2026, 11, 30, tzinfo=UTC)
    assert read_loads(path) == (Load(time=time, processors=0.5, memory=0.25, gpus=0.0),)


def test_it_is_drawn_over_the_time_of_the_slots(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    drive(folder, plan)
    sweep = load(folder)
    use = slot_use_of(sweep.sessions, sweep.stints)
    assert use is not None
    assert load_figure(sweep, use) is None, "nothing was measured"
    began = sweep.sessions[0].started
    times = [began + timedelta(seconds=use.seconds * share) for share in (0, 0.5, 1)]
    loads = tuple(Load(time=time, processors=0.5, memory=0.25) for time in times)
    figure = load_figure(replace(sweep, loads=loads), use)
    assert figure is not None
    go.Figure(coloured(figure))  # refuses the unknown
    assert [trace["name"] for trace in figure["data"]] == ["processors", "memory", "selected"]
    x = figure["data"][0]["x"]
    assert x == pytest.approx([0, use.seconds / 2, use.seconds], abs=1e-2)
    assert figure["layout"]["xaxis"]["range"] == [0, pytest.approx(use.seconds, rel=1e-3)]
