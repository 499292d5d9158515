"""Sweeps from Python: loaded while they go on and after, run from a dict, asked by other tools."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import sweeper
from sweeper import load_sweep, read_results, run_sweep, summarise
from sweeper.errors import ResourceError, RunFolderError, SpecError
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.runtime.session.preparation import Options
from sweeper.status import Status
from sweeper.views.notebook.showing import light_theme
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.conftest import TINY
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.test_rooms import loaded_after


@pytest.fixture
def folder(tmp_path: Path, tiny_plan: Any) -> RunFolder:
    plan = tiny_plan()
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def test_importing_it_costs_nothing() -> None:
    heavy = {"ray", "torch", "pyarrow", "numpy", "rich", "pydantic", "optuna", "pandas"}
    assert not loaded_after("import sweeper") & heavy
    assert not loaded_after("from sweeper import load_sweep") & {"ray", "torch", "optuna", "wandb"}
    assert set(sweeper.__all__) <= set(dir(sweeper))
    with pytest.raises(AttributeError, match="'sweeper' has no attribute 'nonsense'"):
        _ = sweeper.nonsense


@pytest.mark.slow
def test_its_types_are_told(tmp_path: Path) -> None:
    """A type checker takes them from the package, also behind the lazy import."""
    root = Path(sweeper.__file__).parents[1]
    assert (root / "sweeper" / "py.typed").exists()
    code = (
        "from sweeper import load_sweep, run_sweep\n"
        "reveal_type(load_sweep('lr').best)\nrun_sweep('lr.yaml', nme='x')\n"
    )
    command = [
        sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent",
        "--ignore-missing-imports", f"--cache-dir={tmp_path}", "-c", code,
    ]  # fmt: skip
    environment = os.environ | {"MYPYPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    checked = done.stdout + done.stderr
    assert re.search(r'Revealed type is "sweeper\.record\.state\.trial\.Trial \| None"', checked), (
        checked
    )
    assert 'Unexpected keyword argument "nme"' in checked


def test_a_finished_sweep(folder: RunFolder, tiny_plan: Any) -> None:
    drive(folder, tiny_plan())
    sweep = load_sweep("tiny", runs=folder.path.parent)
    assert (sweep.name, sweep.path, sweep.state) == ("tiny", folder.path, "finished")
    assert sweep.best is not None
    assert sweep.best.values == {"learning_rate": 1e-3}
    assert sweep.trials[0] is sweep.best
    assert repr(sweep) == (
        "<sweep tiny: finished, 4 of 4 trials ended; best learning_rate 0.001: val_loss 1.7500>"
    )
    frame = sweep.results.to_pandas()
    assert list(frame["trial_id"]) == [trial.trial_id for trial in sweep.trials]
    assert frame["val_loss"][0] == 1.75
    assert len(sweep.history) == sum(len(trial.evaluations) for trial in sweep.trials)
    assert read_results(folder.path).equals(sweep.results)


def test_a_notebook_shows_a_sweep(folder: RunFolder, tiny_plan: Any) -> None:
    """As IPython asks for it. Nothing of users is markup."""
    plan = tiny_plan(space={"size": {"grid": {"<b>[/]": {"d_ff": 16}, "wide": {"d_ff": 32}}}})
    named = create_run_folder(folder.path.parent, plan.spec, "named", "space.yaml")
    drive(named, plan)
    sweep = load_sweep(named.path)
    shown = sweep._repr_html_()
    assert "Best: size" in shown
    assert "&lt;b&gt;[/]" in shown
    assert "<b>" not in shown
    told = summarise(sweep)._repr_html_()
    assert "&lt;b&gt;[/]" in told
    assert "<b>" not in told


def test_what_is_not_known_stands_in_a_notebook_with_what_tells(
    folder: RunFolder, tiny_plan: Any
) -> None:
    plan = tiny_plan(scheduler={"type": "fifo"})
    named = create_run_folder(folder.path.parent, plan.spec, "named", "space.yaml")
    drive(named, plan)
    told = summarise(load_sweep(named.path))._repr_html_()
    assert "not known: no two settings have repeats" in told
    assert f"<code>python -m sweeper resume {named.called} --finals</code>" in told


def test_the_figures_of_the_report_in_a_notebook(folder: RunFolder, tiny_plan: Any) -> None:
    """With their colours, and the curves along steps."""
    drive(folder, tiny_plan())
    figures = load_sweep(folder.path).figures
    assert {"response-0", "curves", "timeline"} <= figures.keys()
    for figure in figures.values():
        assert '"@' not in figure.to_json()
    ink = light_theme()["ink"]
    best = next(trace for trace in figures["curves"].data if trace.line.color == ink)
    assert list(best.x)[:2] == [4, 8]


def test_a_running_sweep_and_what_happens_next(folder: RunFolder, tiny_plan: Any) -> None:
    with folder.locked(), opened(folder, tiny_plan()) as driver:
        first = driver.next_trial()
        assert first is not None
        driver.start(first.trial_id)
        sweep = load_sweep(folder.path)
        assert (sweep.state, sweep.best) == ("running", None)
        assert [trial.status for trial in sweep.trials] == [Status.RUNNING]
        run_trial(driver, first)
        assert [trial.status for trial in sweep.trials] == [Status.RUNNING]
        sweep.refresh()
        assert [trial.status for trial in sweep.trials] == [Status.COMPLETED]
        assert sweep.results.num_rows == 1
        second = driver.next_trial()
        assert second is not None
        driver.start(second.trial_id)
    sweep.refresh()
    assert sweep.state == "interrupted"
    assert {trial.status for trial in sweep.trials} == {Status.COMPLETED, Status.INTERRUPTED}


def test_an_unknown_sweep_is_named_with_the_nearest(folder: RunFolder, tiny_plan: Any) -> None:
    drive(folder, tiny_plan())
    with pytest.raises(RunFolderError, match=r"tine: no sweep there; did you mean 'tiny'"):
        load_sweep("tine", runs=folder.path.parent)


def test_a_summary(folder: RunFolder, tiny_plan: Any) -> None:
    drive(folder, tiny_plan())
    assert "0002" in repr(summarise(load_sweep(folder.path)))


def space(tokens_folder: Path, **sections: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": str(tokens_folder),
        "train": TINY,
        "space": {"learning_rate": {"grid": np.logspace(-4, -1, 4).tolist()}},
        **sections,
    }


def test_run_from_a_dict_twice_on_a_thread_and_on_the_main_one(
    tmp_path: Path,
    tokens_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a notebook has it: neither needs the main thread, nor a process of its own."""
    monkeypatch.setattr("sweeper.python_api.Options", partial(Options, trainer=REFERENCE))
    options: Any = {"runs": tmp_path, "dashboard": False, "quiet": True}
    found = []

    def run() -> None:
        found.append(run_sweep(space(tokens_folder), overrides=["train.max_steps=8"], **options))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    run()
    first, second = found
    assert [sweep.name for sweep in found] == ["tiny", "tiny-2"]
    assert first.state == second.state == "finished"
    for sweep in found:
        assert sweep.best is not None
        assert sweep.best.values["learning_rate"] == pytest.approx(1e-3)
        assert sweep.best.step == 8
    assert second.results.equals(pq.read_table(second.folder.results))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"spce": {}}, r"^space: spce: no such key; did you mean 'space'"),
        ({"space": {"learning_rate": {"grid": np.ones(2)}}}, r"^space: .*\.tolist\(\)$"),
        ({"train": {"max_stps": 3}}, r"^space: train.max_stps: no such training setting"),
    ],
)
def test_a_mistake_in_a_dict(
    tmp_path: Path, tokens_folder: Path, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        run_sweep(space(tokens_folder, **sections), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def busy_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray that the process has started itself; a sweep's would end with it."""
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    yield


@pytest.mark.usefixtures("busy_ray")
def test_a_process_that_has_a_ray_already(tmp_path: Path, tokens_folder: Path) -> None:
    with pytest.raises(ResourceError, match=r"ray.shutdown\(\)"):
        run_sweep(space(tokens_folder), runs=tmp_path / "runs")


def test_the_trials_of_a_sweep_are_all_that_it_will_have(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        run_trial(sweep, trial)
    assert "interrupted, 1 of 4 trials ended" in repr(load_sweep("tiny", runs=tmp_path / "runs"))


def test_several_sweeps_are_read_apart_as_the_docs_have_it(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has a bundle, so a column that the other lacks; both have a trial 0000."""
    duckdb = pytest.importorskip("duckdb")
    bundles = {"size": {"grid": {"small": {"d_ff": 16}, "large": {"d_ff": 64}}}}
    for name, sections in (("lr", {}), ("sizes", {"space": bundles})):
        plan = tiny_plan(**sections)
        folder = create_run_folder(tmp_path / "runs", plan.spec, name, "space.yaml")
        write_tables(drive(folder, plan).state, folder)
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs/python.md").read_text()
    (query,) = [each for each in re.findall(r'duckdb\.sql\("""(.*?)"""', text, re.S)]
    rows = duckdb.sql(query).fetchall()
    assert {sweep for sweep, *_ in rows} == {"lr", "sizes"}
    assert len(rows) == 4 + 2, "a row a trial of each"
