"""The engine on a real Ray cluster, with a closed-form trial."""

import functools
import io
import math
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sweeper.commands.sweeping import conclude
from sweeper.errors import ResourceError, StorageError
from sweeper.record.journal import Journal
from sweeper.record.metrics_files import read_metrics
from sweeper.record.replay import replay
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder, create_run_folder
from sweeper.record.state.events import Event
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.tables import result_rows
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.session.preparation import Options
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import ExitCode, Status
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import Killed, Mortal, drive
from tests.sweeper.journals import raw_events
from trainable.config import TrainConfig

ONE_AT_A_TIME = {"cpu": os.cpu_count()}
FAILING = REFERENCE.replace("ClosedForm", "Failing")

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def options(tmp_path: Path, trainer: str = REFERENCE) -> Options:
    return Options(runs=tmp_path / "runs", dashboard=False, trainer=trainer)


def opened(folder: RunFolder) -> SweepState:
    spec, _ = load_spec(folder.spec)
    return replay(spec, folder)


def reports(folder: RunFolder) -> list[dict[str, Any]]:
    keep = ("trial", "metrics", "decision", "rung", "rank", "of")
    return [
        {key: event[key] for key in keep}
        for event in raw_events(folder.journal)
        if event["event"] == "report"
    ]


def test_tune_carries_out_what_the_sweep_decides(
    tmp_path: Path, write_space: Any, tiny_plan: Any, console: Console
) -> None:
    """One trial at a time on Ray is, event for event, the same sweep driven without Ray."""
    sections = {
        "space": {"learning_rate": {"grid": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 0.7]}},
        "resources": ONE_AT_A_TIME,
    }
    code = run_file(write_space(**sections), console, options(tmp_path)).exit_code
    assert code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    plan = tiny_plan(**sections)
    expected = create_run_folder(tmp_path / "expected", plan.spec, None, "space.yaml")
    without_ray = drive(expected, plan)
    assert reports(folder) == reports(expected)

    rows = pq.read_table(folder.results).to_pylist()
    without = result_rows(without_ray.state, expected)
    # numbered by Tune here, by the driver there; Tune has its own notes in it
    ignored = {"checkpoint", "checkpoint_bytes"}
    assert [{k: v for k, v in row.items() if k not in ignored} for row in rows] == [
        {k: v for k, v in row.items() if k not in ignored} for row in without
    ]
    assert rows[0]["learning_rate"] == 1e-3
    assert rows[0]["status"] == "completed"
    assert (folder.path / rows[0]["checkpoint"] / CHECKPOINT_FILE).is_file()
    assert {row["status"] for row in rows} == {"completed", "stopped", "diverged"}
    assert pq.read_table(folder.history).num_rows == len(reports(folder))
    for row in rows:
        trial_id = row["trial_id"]
        kept = len(folder.checkpoint_folders(trial_id))
        assert kept == (1 if row["status"] == "completed" else 0)
        assert read_metrics(folder.trial_metrics(trial_id))[-1].step == row["step"]
        config = TrainConfig.from_mapping(
            {name: row[name] for name in TrainConfig.__dataclass_fields__}
        )
        assert str(config.learning_rate) in folder.trial_config(trial_id).read_text()
    assert list(folder.trials.glob("*.pkl")) == []


def test_promotion_resumes_from_the_rung(
    tmp_path: Path, write_space: Any, console: Console
) -> None:
    space = write_space(
        space={"learning_rate": {"grid": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.7]}},
        scheduler={"type": "asha", "mode": "promote", "grace_steps": 4},
    )
    assert run_file(space, console, options(tmp_path)).exit_code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    journal = list(raw_events(folder.journal))
    rungs: dict[int, dict[str, float]] = {}
    earned = 0
    for event in journal:
        if event["event"] == "report" and event["rung"]:
            value = event["metrics"]["val_loss"]
            assert event["decision"] == ("stop" if value is None else "pause")
            rungs.setdefault(event["rung"], {})[event["trial"]] = value or math.inf
        if event["event"] == "promoted":
            peers = rungs[event["rung"]]
            best = sorted(peers, key=peers.__getitem__)
            assert event["trial"] in best[: max(1, len(peers) // 2)]
            earned += 1
    assert earned >= 3
    state = opened(folder)
    assert {trial.status for trial in state.trials.values()} == {
        Status.COMPLETED, Status.STOPPED, Status.DIVERGED,
    }  # fmt: skip
    assert {path.name for path in folder.trials.iterdir()} == set(state.trials)
    for trial in state.trials.values():
        steps = [seen.step for seen in trial.evaluations]
        assert steps == list(range(4, 4 * len(steps) + 1, 4)), "each step is reported once"
    numbers: dict[str, list[int]] = {}
    for event in journal:
        if event["event"] == "checkpoint":
            numbers.setdefault(event["trial"], []).append(int(event["checkpoint"].split("_")[1]))
    assert all(of == list(range(len(of))) for of in numbers.values()), "no step is trained twice"
    assert {path.name for path in folder.trials.iterdir()} == set(state.trials)
    for row in pq.read_table(folder.results).to_pylist():
        if row["status"] == "completed":
            assert (folder.path / row["checkpoint"] / CHECKPOINT_FILE).is_file()


def test_one_failure_costs_one_trial(
    tmp_path: Path, write_space: Any, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception is retried and then recorded; a trial whose process dies goes on elsewhere.
    Who only looks on may fail too: here the screen, at its first line."""
    monkeypatch.setattr("sweeper.views.terminal.screen.Screen._line", lambda *_: 1 / 0)
    space = write_space(
        space={"learning_rate": {"grid": [1e-3, 1e-2, 0.2]}}, scheduler={"type": "fifo"},
        train={"eval_every_steps": 4}, max_retries=1, max_concurrent=1,
    )  # fmt: skip
    result = run_file(space, console, options(tmp_path, FAILING))
    assert conclude(console, result) is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    by_rate = {t.config.learning_rate: t for t in opened(folder).trials.values()}
    assert by_rate[1e-3].status is Status.COMPLETED
    assert by_rate[1e-2].status is Status.COMPLETED
    assert by_rate[1e-2].attempts == 2
    failed = by_rate[0.2]
    assert (failed.status, failed.attempts) == (Status.FAILED, 2)
    assert failed.error is not None
    assert "RuntimeError: the learning rate is too high" in failed.error
    assert "closed_form.py" in folder.trial_error(failed.trial_id).read_text()
    errors = {r["trial_id"]: r["error"] for r in pq.read_table(folder.results).to_pylist()}
    assert errors.pop(failed.trial_id) == failed.error
    assert set(errors.values()) == {None}
    (lost,) = [e for e in raw_events(folder.journal) if e["event"] == "watcher_failed"]
    assert lost["watcher"] == "Screen"
    assert "ZeroDivisionError" in lost["error"]
    assert isinstance(console.file, io.StringIO)
    assert "Screen failed and was left out: ZeroDivisionError" in console.file.getvalue()


def test_a_full_disk_stops_the_sweep_and_it_resumes(
    tmp_path: Path, write_space: Any, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's own error, in the middle of a sweep: the journal goes on to /dev/full."""
    append, count = Journal.append, 0

    def until_full(journal: Journal, event: Event) -> None:
        nonlocal count
        count += 1
        if count == 12:
            journal._file.close()
            journal._file = open("/dev/full", "ab", buffering=0)  # noqa: SIM115
            patch.setattr(Journal, "_is_as_left", True)
        append(journal, event)

    space = write_space(resources=ONE_AT_A_TIME)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", until_full)
        with pytest.raises(StorageError, match=r"No space left .* sweeper resume \S+/tiny"):
            run_file(space, console, options(tmp_path))
    folder = RunFolder(tmp_path / "runs" / "tiny")
    before = list(raw_events(folder.journal))
    assert len(before) == 11
    assert resume_sweep("tiny", console, options(tmp_path)).exit_code is ExitCode.DONE
    assert list(raw_events(folder.journal))[:11] == before
    assert all(trial.status.ended for trial in opened(folder).trials.values())


# A process that is killed does not close its files.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, tiny_plan: Any, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a run folder that has been moved since."""
    sections = {"resources": ONE_AT_A_TIME, "scheduler": {"type": "fifo"}}
    train = {"eval_every_steps": 4, "max_steps": 16}
    plan = tiny_plan(train=train, **sections)
    folder = create_run_folder(tmp_path / "elsewhere", plan.spec, None, "space.yaml")
    with monkeypatch.context() as patch:
        Mortal(patch, 9, before=True)  # step 12 of the first trial is saved, but not in the journal
        with pytest.raises(Killed):
            drive(folder, plan)
    of_step_12, _, _ = folder.checkpoint_folders("0000")
    (of_step_12 / CHECKPOINT_FILE).write_text('{"step": 1')  # half-written
    (tmp_path / "runs").mkdir()
    folder.path.rename(tmp_path / "runs" / "moved")

    assert resume_sweep("moved", console, options(tmp_path)).exit_code is ExitCode.DONE
    moved = RunFolder(tmp_path / "runs" / "moved")
    state = opened(moved)
    assert [t.status for t in state.trials.values()] == [Status.COMPLETED] * 4
    assert [r["metrics"]["step"] for r in reports(moved) if r["trial"] == "0000"] == [4, 8, 12, 16]
    steps = [row.step for row in read_metrics(moved.trial_metrics("0000"))]
    assert steps == [4, 8, 12, 16]  # the checkpoints told what the killed driver had not written
    assert not (tmp_path / "elsewhere" / "tiny").exists(), "nothing is written where it was"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_does_not_answer_is_told_in_seconds(
    tmp_path: Path,
    write_space: Any,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    no_addresses = functools.cache(set)  # whatever else runs on this machine
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", no_addresses)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda folder: None)
    with pytest.raises(ResourceError, match=f"no Ray cluster answers at {address}"):
        run_file(write_space(), console, options(tmp_path))
    assert not (tmp_path / "runs").exists()
