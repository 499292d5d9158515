"""Sessions that end when a checkpoint has landed and the driver has not looked at the training
before it, forced on a real Ray cluster: the driver stands still while its trial saves itself."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.metrics_files import read_metrics
from sweeper.record.progress import read_progress
from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.driver import PAUSING
from tests.sweeper.runtime.ray_tune.sessions import Driver, forked_session_of, session_of
from tests.sweeper.runtime.ray_tune.test_kills import decided, events, rows, state_of, undisturbed
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
    """By a second Ctrl-C, with the first in its hands."""
    driver.send_signal(signal.SIGINT)
    driver.send_signal(signal.SIGCONT)
    return driver.wait()


@pytest.mark.slow
def test_no_evaluation_is_lost(
    tmp_path: Path, write_space: Any, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two rungs, at a rung, at which the trial has to pause, and at its last step: one
    session after the other ends so, in both ways."""
    gate, pausing = tmp_path / "gate", tmp_path / "pausing"
    waited = gate.with_suffix(".waited-at")
    monkeypatch.setenv(PAUSING, str(pausing))
    space = write_space(**SECTIONS)
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    begin: tuple[object, ...] = ("run", space)
    for step, end, code in (
        (6, told_twice, ExitCode.INTERRUPTED),
        (8, killed, -signal.SIGKILL),
        (16, killed, -signal.SIGKILL),
    ):
        for file in (gate, pausing, waited):
            file.unlink(missing_ok=True)
        (tmp_path / "hang-at").write_text(str(step))
        start = forked_session_of if end is killed else session_of
        driver = start("HangingTrainer", *begin, folder.path.parent)
        wait_until(driver, waited.exists)
        driver.send_signal(signal.SIGINT)
        wait_until(driver, pausing.exists)
        driver.send_signal(signal.SIGSTOP)
        record = events(folder)
        assert not has_saved(folder, step)
        gate.touch()
        wait_until(driver, partial(has_saved, folder, step))
        assert end(driver) == code
        if end is killed:
            assert events(folder) == record, "the driver has not heard of it"
        begin = ("resume", "tiny")

    assert session_of("HangingTrainer", *begin, folder.path.parent).wait() == ExitCode.DONE
    assert decided(folder) == decided(whole)
    assert rows(state_of(folder), folder) == rows(state_of(whole), whole)
    for trial_id, trial in state_of(whole).trials.items():
        measured = read_metrics(folder.trial_metrics(trial_id))
        assert [row.val_loss for row in measured] == [row.val_loss for row in trial.evaluations]


def has_saved(folder: RunFolder, step: int) -> bool:
    saved = [read_progress(path) for path in folder.trials.glob("*/checkpoint_*")]
    return any(progress is not None and progress.step == step for progress in saved)
