"""Sessions that end when a checkpoint has landed and the driver has not looked at the training
before it, forced on a real Ray cluster: the driver stands still while its trial saves itself."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.metrics_files import read_metrics
from sweeper.record.progress import read_progress
from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.driver import PAUSING
from tests.sweeper.runtime.ray_tune.sessions import Driver
from tests.sweeper.runtime.ray_tune.test_kills import decided, events, rows, state_of, undisturbed
from tests.sweeper.runtime.ray_tune.test_resume import session
from tests.sweeper.waiting import wait_until

SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}},
    "train": {"eval_every_steps": 2, "checkpoint_every_steps": 2},
    "scheduler": {"type": "asha", "mode": "promote", "grace_steps": 2},  # rungs at 2 and 8
    "resources": {"cpu": 2},  # one at a time: with more, who comes first is chance
}


def killed(driver: Driver) -> int:
    driver.kill()
    return driver.wait()


def told_twice(driver: Driver) -> int:
    """By a second Ctrl-C."""
    driver.send_signal(signal.SIGINT)
    driver.send_signal(signal.SIGCONT)
    return driver.wait()


@pytest.mark.parametrize(
    "step, end, code",
    [
        (8, killed, -signal.SIGKILL),  # a rung, at which the trial has to pause
        pytest.param(6, told_twice, ExitCode.INTERRUPTED, marks=pytest.mark.slow),
        pytest.param(16, killed, -signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_no_evaluation_is_lost(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    end: Callable[[Driver], int],
    code: int,
) -> None:
    gate, pausing = tmp_path / "gate", tmp_path / "pausing"
    (tmp_path / "hang-at").write_text(str(step))
    monkeypatch.setenv(PAUSING, str(pausing))
    space = write_space(**SECTIONS)
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    driver = session("run", space, folder.path.parent)
    wait_until(driver, gate.with_suffix(".waited-at").exists)
    driver.send_signal(signal.SIGINT)
    wait_until(driver, pausing.exists)
    driver.send_signal(signal.SIGSTOP)
    record = events(folder)
    gate.touch()
    wait_until(driver, lambda: has_saved(folder, step))
    assert end(driver) == code
    if end is killed:
        assert events(folder) == record, "the driver has not heard of it"

    assert session("resume", "tiny", folder.path.parent).wait() == ExitCode.DONE
    assert decided(folder) == decided(whole)
    assert rows(state_of(folder), folder) == rows(state_of(whole), whole)
    for trial_id, trial in state_of(whole).trials.items():
        measured = read_metrics(folder.trial_metrics(trial_id))
        assert [row.val_loss for row in measured] == [row.val_loss for row in trial.evaluations]


def has_saved(folder: RunFolder, step: int) -> bool:
    saved = [read_progress(path) for path in folder.trials.glob("*/checkpoint_*")]
    return any(progress is not None and progress.step == step for progress in saved)
