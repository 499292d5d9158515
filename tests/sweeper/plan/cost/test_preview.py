"""`python -m sweeper plan`: as a script sees it, and that it leaves nothing behind."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.plan.cost.preview import preview
from sweeper.plan.cost.shapes import Speed
from sweeper.views.terminal.forecast_tables import print_forecast

SIZES = {
    "size": {
        "grid": {"small": {"d_model": 16}, "large": {"d_model": 64}},
    },
    "learning_rate": {"grid": [1e-3, 1e-2]},
}


def sweeper_plan(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sweeper", "plan", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_plan_is_told_and_nothing_written(tmp_path: Path, write_space: Any) -> None:
    space = write_space(space=SIZES)
    before = sorted(tmp_path.rglob("*"))
    result = sweeper_plan(tmp_path, space, "--json", "--set", "train.max_steps=12")
    assert (result.returncode, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["num_trials"] == 4
    assert [rung["at"] for rung in told["rungs"]] == [4, 8, 12]
    assert {shape["name"] for shape in told["shapes"]} == {"size small", "size large"}
    assert all(shape["is_measured"] for shape in told["shapes"])
    assert 0 < told["expected"]["wall_seconds"] < told["whole"]["wall_seconds"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mistake_is_one_message(tmp_path: Path, write_space: Any) -> None:
    result = sweeper_plan(tmp_path, write_space(resources={"cpu": 100_000}), "--no-probe")
    assert (result.returncode, result.stdout) == (2, "")
    told = r"space\.yaml:\d+: resources\.cpu: a trial asks for 100000, but this machine has "
    assert re.search(told, result.stderr)
    missing = sweeper_plan(tmp_path, write_space(data="nowhere"))
    assert missing.returncode == 2
    assert "nowhere" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_speed_measured_on_a_busy_machine_is_said_to_be(
    write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, speed = write_space(), Speed(tokens_per_second=64, evaluation_seconds=1.5)
    measured = "sweeper.plan.cost.preview.measure_speeds"
    monkeypatch.setattr(measured, lambda shapes, *_, **named: dict.fromkeys(shapes, speed))
    cores = float(os.cpu_count() or 1)
    for load, probe, told in (
        (
            4 * cores,
            True,
            f"This machine was busy before the speed was measured (load {4 * cores:.1f})",
        ),
        (4 * cores, False, None),
        (cores / 2, True, None),
    ):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        forecast = preview(space, probe=probe)
        screen = io.StringIO()
        print_forecast(Console(file=screen, width=200), forecast)
        assert ("busy" in screen.getvalue()) == (told is not None)
        assert told is None or told in screen.getvalue()
