"""A trial in two processes, one of which is killed, and then the driver."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.runtime.session.preparation import Options
from sweeper.runtime.trainers.program.keeper import descendants
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of
from tests.sweeper.runtime.ray_tune.test_kills import events
from tests.sweeper.waiting import wait_until
from trainable.loop.training import Trainer

LENGTH = {"max_steps": 800, "eval_every_steps": 100, "checkpoint_every_steps": 100}


def followers() -> list[int]:
    """Of the trial: on a cluster that this process has started."""
    return [pid for pid in descendants(os.getpid()) if b"trainable.followers" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_a_lost_process_is_one_attempt_and_none_outlives_the_driver(
    tmp_path: Path, write_space: Any, tiny_plan: Any, cluster: None
) -> None:
    """The sweep ends as one process that nobody disturbs: it adds up the gradients of the same
    halves of each batch."""
    sections = {
        "train": {**LENGTH, "device": "cpu", "batch_size": 4},
        "space": {"learning_rate": {"grid": [1e-2]}},
        "scheduler": {"type": "fifo"},
    }
    space = write_space(**sections, resources={"cpu": 2, "processes": 2})
    folder = RunFolder(tmp_path / "runs" / "tiny")
    trainer = Options().trainer

    def told(kind: str) -> list[dict[str, Any]]:
        return [event for event in events(folder) if event["event"] == kind]

    driver = forked_session_of(trainer, "run", space, folder.path.parent)
    wait_until(driver, lambda: bool(told("checkpoint")))
    os.kill(*followers(), signal.SIGKILL)
    wait_until(driver, lambda: bool(told("attempt_failed")))
    again = len(told("checkpoint"))
    wait_until(driver, lambda: len(told("checkpoint")) > again)
    (follower,) = followers()
    driver.kill()
    driver.wait()
    with subprocess.Popen(["sleep", "600"]) as patience:
        wait_until(patience, lambda: not command_of(follower))
        patience.kill()

    resumed = forked_session_of(trainer, "resume", "tiny", folder.path.parent)
    assert resumed.wait() == ExitCode.DONE
    (failed,) = told("attempt_failed")
    assert "process 2 of 2 has ended (killed by SIGKILL)" in failed["error"]
    (trial,) = tiny_plan(**sections).trials
    alone = Trainer(trial.config, num_threads=1, micro_batch_size=2)
    losses = [said.val_loss for said in alone.train() if said and said.val_loss is not None]
    assert [event["metrics"]["val_loss"] for event in told("report")] == losses
