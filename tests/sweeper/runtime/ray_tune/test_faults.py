"""One failure costs one trial: real processes that fail in every way, on a real Ray cluster."""

import io
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sweeper.errors import StorageError
from sweeper.record.metrics_files import read_metrics
from sweeper.record.run_folder import RunFolder
from sweeper.record.tables import result_rows
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode
from sweeper.views.format import headline
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.faulty_trainers import (
    EXITS,
    FULL,
    HANGS,
    HEAVY,
    POISON,
    RAISES,
    SILENT,
    SOUND,
    UNREADABLE,
    UNSAVED,
    ZOO,
    ZooTrainer,
)
from tests.sweeper.runtime.ray_tune.test_kills import state_of, undisturbed

RATES = [SOUND, EXITS, RAISES, UNREADABLE, HANGS, SILENT, UNSAVED]

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def options(runs: Path, trainer: str) -> Options:
    return Options(runs=runs, dashboard=False, trainer=trainer)


def failures(folder: RunFolder, trial: str) -> list[str]:
    """Every error of a trial, in short, in order."""
    return [
        headline(event["error"])
        for event in raw_events(folder.journal)
        if event.get("trial") == trial and event.get("error")
    ]


@pytest.mark.slow
def test_every_failure_costs_its_trial_alone(
    tmp_path: Path, write_space: Any, console: Console
) -> None:
    space = write_space(
        space={"learning_rate": {"grid": RATES}},
        scheduler={"type": "fifo"},
        train={"eval_every_steps": 4},
        max_retries=1,
        trial_timeout_s=30,
    )
    assert run_file(space, console, options(tmp_path / "runs", ZOO)).exit_code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    rows = {r["learning_rate"]: r for r in pq.read_table(folder.results).to_pylist()}
    assert Counter(row["status"] for row in rows.values()) == {"completed": 6, "failed": 1}
    assert {rate: row["num_failures"] for rate, row in rows.items()} == {
        SOUND: 0, EXITS: 1, RAISES: 2, UNREADABLE: 1, HANGS: 1, SILENT: 0, UNSAVED: 1,
    }  # fmt: skip
    assert sorted(path.name for path in folder.trials.iterdir()) == sorted(
        row["trial_id"] for row in rows.values()
    )
    for rate, row in rows.items():
        steps = [r.step for r in read_metrics(folder.trial_metrics(row["trial_id"]))]
        assert steps == ([4] if rate == RAISES else [4, 8, 12, 16])
        assert (row["error"] is not None) == (row["status"] == "failed")

    said = {rate: failures(folder, row["trial_id"]) for rate, row in rows.items()}
    assert said[EXITS] == ["The process of the trial died."]
    assert said[RAISES] == ["RuntimeError: no such kernel"] * 2
    assert said[UNSAVED] == ["trainable.errors.CheckpointError: not written: the weights are odd"]
    assert "UnreadableError" in str(said[UNREADABLE])

    hung = rows[HANGS]["trial_id"]
    assert said[HANGS][0].startswith("No result for 30 s (`trial_timeout_s`)")
    errors = [e for e in raw_events(folder.journal) if e.get("trial") == hung and e.get("error")]
    (hang,) = (event["error"] for event in errors)
    assert "in wait_for_a_message_that_never_comes" in hang
    assert not folder.trial_stack(hung).exists()

    failed = rows[RAISES]
    assert folder.trial_error(failed["trial_id"]).read_text() == failed["error"]
    assert "faulty_trainers.py" in failed["error"]
    assert "site-packages/ray" not in failed["error"]
    assert "\x1b" not in failed["error"]
    assert list(folder.trials.glob("*/error.txt")) == [folder.trial_error(failed["trial_id"])]
    assert list(folder.trials.glob("*/*.pkl")) == []

    assert rows[SILENT]["val_loss"] is None
    assert list(rows)[-2:] == [SILENT, RAISES], "without the metric it ranks last"
    assert isinstance(console.file, io.StringIO)
    assert (
        "failed, and will be tried again: RuntimeError: no such kernel" in console.file.getvalue()
    )


def test_a_report_without_the_metric_stops_at_its_rung(tmp_path: Path, write_space: Any) -> None:
    space = write_space(space={"learning_rate": {"grid": [SOUND, SILENT]}})
    folder = undisturbed(space, tmp_path / "runs", ZooTrainer)
    rows = {row["learning_rate"]: row for row in result_rows(state_of(folder), folder)}
    assert (rows[SOUND]["status"], rows[SILENT]["status"]) == ("completed", "stopped")
    assert (rows[SILENT]["step"], rows[SILENT]["val_loss"]) == (4, None)


@pytest.mark.slow
def test_a_process_that_cannot_be_used_again_is_not_the_next_trials_failure(
    tmp_path: Path, write_space: Any, console: Console
) -> None:
    space = write_space(
        space={"learning_rate": {"grid": [1e-3, 2e-3]}}, scheduler={"type": "fifo"},
        max_concurrent=1, max_retries=0,
    )  # fmt: skip
    assert run_file(space, console, options(tmp_path / "runs", POISON)).exit_code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    rows = pq.read_table(folder.results).to_pylist()
    assert [(row["status"], row["num_failures"]) for row in rows] == [("completed", 0)] * 2
    (failed,) = [e for e in raw_events(folder.journal) if e["event"] == "attempt_failed"]
    assert failed["counted"] is False
    assert "could not be used again" in failed["error"]
    assert "has no attribute 'cuda'" in failed["error"]


def test_a_checkpoint_on_a_full_disk_stops_the_sweep_and_costs_no_trial_anything(
    tmp_path: Path, write_space: Any, console: Console
) -> None:
    full = tmp_path / "full"
    full.touch()
    space = write_space(
        scheduler={"type": "fifo"}, train={"eval_every_steps": 4}, max_retries=0, max_concurrent=1
    )
    with pytest.raises(StorageError, match=r"trial 000\d: .*No space left .* resume \S+/tiny"):
        run_file(space, console, options(tmp_path / "runs", FULL))
    folder = RunFolder(tmp_path / "runs" / "tiny")
    events = list(raw_events(folder.journal))
    assert events[-1]["outcome"] == "failed"
    assert not {"attempt_failed", "trial_ended"} & {event["event"] for event in events}

    full.unlink()
    assert (
        resume_sweep("tiny", console, options(tmp_path / "runs", FULL)).exit_code is ExitCode.DONE
    )
    rows = pq.read_table(folder.results).to_pylist()
    assert [(row["status"], row["num_failures"]) for row in rows] == [("completed", 0)] * 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_sweep_and_with_room_it_goes_on(
    small_disk: Path, write_space: Any, console: Console
) -> None:
    """The disk is real: what meets it first, a checkpoint, the journal or a table, is chance."""
    runs = small_disk / "runs"
    space = write_space(
        space={"learning_rate": {"grid": [k * 1e-4 for k in range(1, 10)]}},
        scheduler={"type": "fifo"}, train={"eval_every_steps": 4}, max_retries=0, max_concurrent=1,
    )  # fmt: skip
    with pytest.raises(StorageError, match=r"No space left .* resume \S+/tiny"):
        run_file(space, console, options(runs, HEAVY))
    folder = RunFolder(runs / "tiny")
    before = list(raw_events(folder.journal))
    assert not {"attempt_failed", "watcher_failed"} & {event["event"] for event in before}
    assert {e["status"] for e in before if e["event"] == "trial_ended"} <= {"completed"}

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert resume_sweep("tiny", console, options(runs, HEAVY)).exit_code is ExitCode.DONE
    assert list(raw_events(folder.journal))[: len(before)] == before
    rows = pq.read_table(folder.results).to_pylist()
    assert [(row["status"], row["num_failures"]) for row in rows] == [("completed", 0)] * 9
