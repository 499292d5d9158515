"""report.html and the pictures, of sweeps in any state."""

import io
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sweeper.analysis.summary import load
from sweeper.commands.cli import app
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.tables import write_tables
from sweeper.runtime.session.ending import SessionResult, written_report
from sweeper.views.report import write_report
from sweeper.views.terminal.summary import print_end
from tests.sweeper.in_process import drive, opened, run_trial


@pytest.fixture
def finished(tmp_path: Path, tiny_plan: Any) -> Callable[..., RunFolder]:
    def run(**sections: Any) -> RunFolder:
        plan = tiny_plan(**sections)
        folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
        write_tables(drive(folder, plan).state, folder)
        return folder

    return run


def headline(page: Path) -> str:
    found = re.search(r"<h1>(.*)</h1>", page.read_text())
    assert found is not None
    return found[1].replace("\xa0", " ")


def test_one_file_that_needs_no_other(finished: Callable[..., RunFolder]) -> None:
    folder = finished()
    report = write_report(folder)
    text = report.path.read_text()
    assert headline(report.path) == "learning_rate 0.001 trains best"
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    assert len(text) < 6e6
    assert {p.name for p in report.pictures} == {"loss_by_learning_rate.png", "learning_curves.png"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in report.pictures)
    anew, further = "Train for longer with its settings", "Or train it further (its learning rate"
    assert 0 < text.find(anew) < text.find("python -m trainable --") < text.find(further)
    assert f"python -m sweeper export {folder.path} " in text
    assert sorted(p.name for p in folder.path.iterdir() if p.name.endswith(".tmp")) == []


def test_its_commands_name_whole_paths_wherever_the_page_is_opened(
    finished: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished()
    monkeypatch.chdir(folder.path.parent)
    text = write_report(RunFolder(Path(folder.path.name))).path.read_text()
    assert f"python -m sweeper export {folder.path} " in text
    assert f"--resume_from {folder.trials}/" in text


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([1e-3], "learning_rate 0.001 trains best"),
        ([0.6, 0.9], "All 2 trials diverged"),
        ([1e-3, 0.9], "learning_rate 0.001 trains best"),
    ],
    ids=["one trial", "all diverged", "one each"],
)
def test_few_trials_make_a_report_too(
    finished: Callable[..., RunFolder], rates: list[float], said: str
) -> None:
    report = write_report(finished(space={"learning_rate": {"grid": rates}}))
    assert headline(report.path) == said


def test_a_sweep_that_has_finished_no_trial_or_started_none(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan):
        pass
    assert headline(write_report(folder).path) == "No trial has been started yet"
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
    assert headline(write_report(folder).path) == "No trial has completed yet"
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        run_trial(sweep, trial)
    assert "best so far" in headline(write_report(folder).path)


@pytest.mark.parametrize("scheduler", ["fifo", "asha", "hyperband", "median", "pbt"])
def test_sweeps_under_every_scheduler_have_one(
    finished: Callable[..., RunFolder], scheduler: str
) -> None:
    pace = {"fifo": {}, "pbt": {"interval_steps": 4}}.get(scheduler, {"grace_steps": 4})
    folder = finished(
        scheduler={"type": scheduler, **pace},
        space={"learning_rate": {"loguniform": [1e-4, 1e-1]}},
        search={"algorithm": "random", "num_trials": 6},
        train={"checkpoint_every_steps": 4, "eval_every_steps": 4},
    )
    assert "trains best" in headline(write_report(folder).path)
    assert load(folder).notes == ()


def test_what_users_wrote_is_text_not_markup(finished: Callable[..., RunFolder]) -> None:
    name = "</script><b>"
    bundles = {"grid": {name: {"d_model": 16}, "plain": {"d_model": 32}}}
    text = write_report(finished(space={"size": bundles})).path.read_text()
    assert "&lt;/script&gt;&lt;b&gt;" in text
    assert name not in text


def test_the_pieces_of_a_damaged_folder_are_reported(finished: Callable[..., RunFolder]) -> None:
    folder = finished()
    folder.journal.unlink()
    folder.spec.unlink()
    text = write_report(folder).path.read_text()
    assert "This report is made from results.parquet alone." in text
    assert "trains best" in headline(folder.report)


def test_an_empty_folder_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"sweep\.yaml"):
        write_report(RunFolder(tmp_path))


def test_where_nothing_can_be_written_it_says_what_to_do(
    finished: Callable[..., RunFolder], tmp_path: Path
) -> None:
    folder = finished()
    folder.report.mkdir()
    (folder.report / "in the way").touch()
    with pytest.raises(RunFolderError, match=r"cannot be written there .* --out FOLDER"):
        write_report(folder)
    assert write_report(folder, tmp_path / "elsewhere").path == tmp_path / "elsewhere/report.html"


def test_from_the_command_line(
    finished: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished()
    runs = ["--runs", str(folder.path.parent)]
    result = CliRunner().invoke(app, ["report", folder.name, *runs])
    assert result.exit_code == 0
    assert str(folder.report) in result.output
    folder.journal.unlink()  # found by its table still
    assert CliRunner().invoke(app, ["report", folder.name, *runs]).exit_code == 0
    unknown = CliRunner().invoke(app, ["report", "tinny", *runs])
    assert isinstance(unknown.exception, RunFolderError)
    assert "no sweep there" in str(unknown.exception)


def test_a_report_that_fails_takes_nothing_from_the_sweep(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: RunFolder, state: SweepState) -> None:
        raise RuntimeError("no such font")

    monkeypatch.setattr("sweeper.views.report.write_report", fail)
    console = Console(file=io.StringIO(), width=200)
    folder, state = RunFolder(tmp_path), SweepState(tiny_plan().spec)
    result = SessionResult(folder=folder, state=state, outcome="finished")
    print_end(console, state, folder, written_report(console, result), result.outcome)
    assert "The report was not written: no such font" in console.file.getvalue()
    assert f"python -m sweeper report {tmp_path}" in console.file.getvalue()
    assert "Traceback" in RunFolder(tmp_path).log.read_text()


@pytest.mark.parametrize(("outcome", "signals"), [("finished", 2), ("interrupted", 1)])
def test_ctrl_c_again_ends_it_at_once_also_while_the_report_is_written(
    tmp_path: Path,
    tiny_plan: Any,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Any,
    signals: int,
) -> None:
    told, ended = threading.Semaphore(0), threading.Event()

    def write(folder: RunFolder, state: SweepState) -> None:
        for _ in range(signals):
            assert not ended.is_set()
            os.kill(os.getpid(), signal.SIGINT)
            assert told.acquire(timeout=60)
        assert ended.is_set()

    monkeypatch.setattr("sweeper.runtime.signals.tell", lambda text: told.release())
    monkeypatch.setattr("sweeper.runtime.signals.exit_now", lambda *told: ended.set())
    monkeypatch.setattr("sweeper.views.report.write_report", write)
    folder, state = RunFolder(tmp_path), SweepState(tiny_plan().spec)
    result = SessionResult(folder=folder, state=state, outcome=outcome)
    said = written_report(Console(quiet=True), result)
    assert "AssertionError" not in folder.log.read_text(), said


@pytest.mark.parametrize(
    ("outcome", "said"), [("finished", "trains best"), ("interrupted", "so far")]
)
def test_at_the_end_of_a_session_it_says_how_that_ended_though_the_folder_is_still_locked(
    tmp_path: Path, tiny_plan: Any, outcome: Any, said: str
) -> None:
    """As `resume` does it, which holds the lock from its first look at the folder."""
    plan = tiny_plan()
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with folder.locked():
        with opened(folder, plan) as sweep:
            while (trial := sweep.next_trial()) is not None:
                run_trial(sweep, trial)
            sweep.close(outcome)
        result = SessionResult(folder=folder, state=sweep.state, outcome=outcome)
        report = written_report(Console(quiet=True), result)
        assert isinstance(report, Path)
        assert said in headline(report)
        eyebrow = re.search(r'class="eyebrow">(.*)</p>', report.read_text())
        assert eyebrow is not None
        assert f"· {outcome} ·" in eyebrow[1]
    written = untimed(report)
    assert untimed(write_report(folder).path) == written, "as the folder itself tells it"


def untimed(report: Path) -> str:
    text, times = re.subn(r" · as of \d+ \w+ \d{4} \d\d:\d\d:\d\d<", "<", report.read_text())
    assert times == 1, "it says once when it was written"
    return text
