"""Resumed elsewhere, resumed with changes, resumed after a second Ctrl-C: on a real Ray cluster.
And SIGTERM while trials are in trouble."""

import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sweeper.engine.session.resuming import Changes
from sweeper.errors import InUseError
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode, Status
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.driver import BACKOFF, GATE, PATIENCE, ROOT
from tests.sweeper.runtime.ray_tune.faulty_trainers import RAISES, SOUND, STUCK
from tests.sweeper.runtime.ray_tune.sessions import Driver, forked_session_of, session_of
from tests.sweeper.runtime.ray_tune.test_kills import (
    decided,
    events,
    rows,
    state_of,
    undisturbed,
)
from tests.sweeper.waiting import wait_until

ONE_AT_A_TIME = {"cpu": os.cpu_count()}  # with more, who comes first is chance
FAILING = REFERENCE.replace("ClosedForm", "Failing")
SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 3e-4, 6e-4, 1e-3, 3e-3, 1e-2, 0.7]}},
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 2},
}


def session(*arguments: object, stderr: IO[str] | None = None) -> Driver:
    return session_of("HangingTrainer", *arguments, stderr=stderr)


def assert_ended_as(folder: RunFolder, whole: RunFolder) -> None:
    assert decided(folder) == decided(whole)
    assert rows(state_of(folder), folder) == rows(state_of(whole), whole)
    for row in pq.read_table(folder.results).to_pylist():
        if row["status"] == "completed":
            assert (folder.path / row["checkpoint"] / CHECKPOINT_FILE).is_file()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file without which a `HangingTrainer` hangs."""
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    return tmp_path / "gate"


def hung(folder: RunFolder) -> bool:
    """All have reached their rungs below step 6, and one has gone on beyond them."""
    return any(event["event"] == "promoted" and event["rung"] == 4 for event in events(folder))


@pytest.mark.slow
def test_copied_it_goes_on_where_it_is_under_one_driver_at_a_time(
    tmp_path: Path, write_space: Any, cluster: None, gate: Path
) -> None:
    space = write_space(**SECTIONS, resources=ONE_AT_A_TIME)
    folder = RunFolder(tmp_path / "runs" / "tiny")
    process = forked_session_of("HangingTrainer", "run", space, tmp_path / "runs")
    wait_until(process, lambda: hung(folder))
    record = folder.journal.read_bytes()
    with pytest.raises(InUseError, match=f"{folder.path}: another sweeper is at work in it; "):
        resume_sweep("tiny", Console(file=io.StringIO()), Options(runs=tmp_path / "runs"))
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not folder.is_locked
    assert folder.journal.read_bytes().startswith(record)
    original = contents(folder)

    gate.touch()
    copy = RunFolder(tmp_path / "copies" / "another-name")
    shutil.copytree(folder.path, copy.path)
    relative = os.path.relpath(copy.path, ROOT)
    assert resumed(relative, tmp_path / "no-runs") == ExitCode.DONE
    assert_ended_as(copy, undisturbed(space, tmp_path / "whole"))
    assert contents(folder) == original, "the original is left alone"


def resumed(name: str, runs: Path) -> int:
    return forked_session_of("HangingTrainer", "resume", name, runs).wait()


def contents(folder: RunFolder) -> dict[str, bytes]:
    files = (path for path in folder.path.rglob("*") if path.is_file())
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT, signal.SIGINT], pytest.param([signal.SIGTERM], marks=pytest.mark.slow)],
    ids=["SIGINT twice", "SIGTERM"],
)
def test_ended_in_the_middle_of_a_trial_that_hangs_it_resumes(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    signals: list[int],
) -> None:
    """By a second Ctrl-C at once, and by a single SIGTERM after the grace; they go to Ray's
    processes too, as from a terminal and from a supervisor."""
    space = write_space(**SECTIONS, resources=ONE_AT_A_TIME)
    folder, said = RunFolder(tmp_path / "runs" / "tiny"), tmp_path / "stderr"
    with monkeypatch.context() as patch, said.open("w") as stderr:
        patch.delenv("RAY_ADDRESS")
        process = session("run", space, tmp_path / "runs", stderr=stderr)
    wait_until(process, lambda: hung(folder))
    for number in signals:
        process.signal_group(number)
        wait_until(process, lambda: "Stopping: what runs is being" in said.read_text())
    assert process.wait() == ExitCode.INTERRUPTED
    command = f"python -m sweeper resume {folder.path}"
    assert f"Ended at once. Go on with:  {command}\n" in said.read_text()
    assert events(folder)[-1]["event"] != "session_ended"

    gate.touch()
    assert resumed("tiny", tmp_path / "runs") == ExitCode.DONE
    assert_ended_as(folder, undisturbed(space, tmp_path / "whole"))


def waits(folder: RunFolder, notes: Path) -> bool:
    """A trial waits for its next attempt, for longer than the driver may take to end."""
    return any(event["event"] == "attempt_failed" for event in events(folder))


def hangs(folder: RunFolder, notes: Path) -> bool:
    return notes.exists()


@pytest.mark.parametrize("rate, trouble", [(RAISES, waits), (SOUND, hangs)])
def test_sigterm_in_trouble_ends_the_driver_and_is_recorded(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    monkeypatch: pytest.MonkeyPatch,
    rate: float,
    trouble: Callable[[RunFolder, Path], bool],
) -> None:
    notes, runs = tmp_path / "notes", tmp_path / "runs"
    space = write_space(
        space={"learning_rate": {"grid": [rate]}}, scheduler={"type": "fifo"}, max_retries=9
    )
    monkeypatch.setenv(BACKOFF, "300")
    monkeypatch.setenv(PATIENCE, "1")
    process, folder = session_of(STUCK, "run", space, runs), RunFolder(runs / "tiny")
    wait_until(process, lambda: trouble(folder, notes))
    before = events(folder)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == ExitCode.INTERRUPTED
    (last,) = events(folder)[len(before) :]
    assert (last["event"], last["outcome"]) == ("session_ended", "interrupted")


def test_a_finished_sweep_gets_more_trials_another_chance_and_other_resources(
    tmp_path: Path, write_space: Any, cluster: None
) -> None:
    space = write_space(
        space={"learning_rate": {"choice": [1e-3, 0.2]}}, scheduler={"type": "fifo"},
        search={"algorithm": "random", "num_trials": 3, "seed": 1},
        train={"eval_every_steps": 2}, max_retries=0, max_concurrent=1,
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=100)

    def options(trainer: str) -> Options:
        return Options(runs=tmp_path / "runs", dashboard=False, trainer=trainer)

    assert run_file(space, console, options(FAILING)).exit_code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    before, first = events(folder), state_of(folder).trials
    failed = [t for t in first.values() if t.status is Status.FAILED]
    assert 0 < len(failed) < 3
    assert all(folder.trial_error(trial.trial_id).exists() for trial in failed)
    with folder.journal.open("a") as journal:
        journal.write('{"event": "session_sta')

    changes = Changes(overrides=["resources.cpu=1.5"], num_trials=5, retry_failed=True)
    assert resume_sweep("tiny", console, options(REFERENCE), changes).exit_code is ExitCode.DONE
    after = list(raw_events(folder.journal))
    assert after[: len(before)] == before
    started = after[len(before)]
    assert started["overrides"] == ["resources.cpu=1.5", "search.num_trials=5"]
    assert started["placement"]["cpu"] == 1.5
    new = after[len(before) :]
    done = {trial_id for trial_id, trial in first.items() if trial.status is Status.COMPLETED}
    assert {e["trial"] for e in new if e["event"] == "retried"} == set(first) - done
    assert not done & {e.get("trial") for e in new}, "what has completed stays as it is"

    trials = state_of(folder).trials
    assert {trial.status for trial in trials.values()} == {Status.COMPLETED}
    assert len(trials) == 5
    assert [trials[name].config for name in first] == [trial.config for trial in first.values()]
    for trial in trials.values():
        assert [seen.step for seen in trial.evaluations] == list(range(2, 17, 2))
        assert not folder.trial_error(trial.trial_id).exists()
    assert {row["error"] for row in pq.read_table(folder.results).to_pylist()} == {None}
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "The last line of its journal, cut short by a kill or a full disk, was dropped." in told
    assert "Changed: resources.cpu=1.5\nChanged: search.num_trials=5\n" in told
