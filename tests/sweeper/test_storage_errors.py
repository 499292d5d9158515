"""Which errors are those of a full disk, whatever they were turned into."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.engine.audience import Audience
from sweeper.errors import StorageError, is_storage_error
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import create_run_folder
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from tests.sweeper.in_process import opened
from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics
from trainable.weights.checkpoint import Checkpoint, write_checkpoint


def test_a_checkpoint_that_meets_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainable's own, with torch in between; the kernel says that the disk is full."""
    path = tmp_path / "checkpoint.pt"
    full, full_open = Path("/dev/full"), Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: full_open(full, mode))
    with pytest.raises(CheckpointError, match="No space left") as error:
        write_checkpoint(
            path,
            Checkpoint(
                config=TrainConfig(),
                step=1,
                model={"weights": torch.zeros(10**6)},
                optimizer={},
                scaler={},
                statistics={},
                train_seconds=0.0,
                micro_batch_size=1,
            ),
        )
    assert is_storage_error(error.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_the_errors_of_storage(number: int) -> None:
    error = OSError(number, "as it is")
    assert is_storage_error(error)
    outer = RuntimeError("wrapped")
    outer.__context__ = error
    assert is_storage_error(outer)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "no such file"), OSError("?"), ValueError("No space left")]
)
def test_others_are_not(error: Exception) -> None:
    error.__context__ = error
    assert not is_storage_error(error)


class FullTerminal(Watcher):
    """Its output goes to a file on a full disk."""

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        Path("/dev/full").write_text("a line")


def test_a_record_that_cannot_be_kept_ends_the_sweep_and_a_screen_does_not(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan(scheduler={"type": "fifo"})
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        files = MetricsFiles(folder)
        files.started(trial)
        folder.trial_metrics(trial.trial_id).symlink_to("/dev/full")
        Audience(sweep, [FullTerminal()]).measured(trial, [Metrics(step=4)])
        assert list(sweep.state.failed_watchers) == ["FullTerminal"]
        told = rf"MetricsFiles: .*No space left.* resume {folder.path}"
        with pytest.raises(StorageError, match=told):
            Audience(sweep, [files]).measured(trial, [Metrics(step=4)])
        assert sweep.failure is not None
        assert list(sweep.state.failed_watchers) == ["FullTerminal"]
