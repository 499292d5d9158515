"""A trial in two processes, one of which is killed, and then the driver."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.runtime.trainers.program.keeper import descendants
from tests.sweeper.journals import raw_events
from tests.sweeper.waiting import wait_until
from trainable.loop.training import Trainer

LENGTH = {"max_steps": 800, "eval_every_steps": 100, "checkpoint_every_steps": 100}


def followers_of(driver: int) -> list[int]:
    return [pid for pid in descendants(driver) if b"trainable.followers" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_a_lost_process_is_one_attempt_and_none_outlives_the_driver(
    tmp_path: Path, write_space: Any, tiny_plan: Any
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

    def told(kind: str) -> list[dict[str, Any]]:
        there = raw_events(folder.journal) if folder.journal.exists() else ()
        return [event for event in there if event["event"] == kind]

    sweeper = [sys.executable, "-m", "sweeper"]
    driver = subprocess.Popen([*sweeper, "run", str(space), "--no-dashboard"], cwd=tmp_path)
    wait_until(driver, lambda: bool(told("checkpoint")))
    os.kill(*followers_of(driver.pid), signal.SIGKILL)
    wait_until(driver, lambda: bool(told("attempt_failed")))
    again = len(told("checkpoint"))
    wait_until(driver, lambda: len(told("checkpoint")) > again)
    (follower,) = followers_of(driver.pid)
    driver.kill()
    driver.wait()
    with subprocess.Popen(["sleep", "60"]) as patience:
        wait_until(patience, lambda: not command_of(follower))
        patience.kill()

    subprocess.run([*sweeper, "resume", "tiny", "--no-dashboard"], cwd=tmp_path, check=True)
    (failed,) = told("attempt_failed")
    assert "process 2 of 2 has ended (killed by SIGKILL)" in failed["error"]
    (trial,) = tiny_plan(**sections).trials
    alone = Trainer(trial.config, num_threads=1, micro_batch_size=2)
    losses = [said.val_loss for said in alone.train() if said and said.val_loss is not None]
    assert [event["metrics"]["val_loss"] for event in told("report")] == losses
