"""Sweeps as jobs of a real Ray cluster: stopped, their drivers killed, their cluster replaced."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.analysis.monitor import Monitor
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.record.submission.attempts import read_attempts
from tests.sweeper.runtime.ray_jobs.head import Head, Machine
from tests.sweeper.runtime.trainers.jobs import PROGRAM
from tests.sweeper.runtime.trainers.test_sweeps import decided, decisions, space_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PATIENCE_SECONDS = 540  # a machine may have a lot to do


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    head = Head(tmp_path / "cache")
    try:
        head.start()
        yield head
    finally:
        head.kill()
    for folder in head.folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address(tmp_path: Path, head: Head, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a bucket. This process is on the head's machine; the commands below are on another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(head.cache))
    return f"file://{tmp_path}/bucket"


# Before the program: it takes no step while a file is there.
HOLDING = """
import sys, time
from pathlib import Path
hold, sleep = Path(sys.argv.pop(1)), time.sleep
def sleep_at_least(seconds):
    while hold.exists():
        sleep(0.05)
    sleep(seconds)
time.sleep = sleep_at_least
"""


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    return tmp_path / "hold"


@pytest.fixture
def space(tmp_path: Path, hold: Path) -> Path:
    """Of a program in a folder that only this machine has."""
    space = space_in(tmp_path / "mine", "pattern")
    document = YAML().load(space)
    (space.parent / "train.py").write_text(HOLDING + PROGRAM.read_text())
    trainer = document["trainer"]
    options = "--lr={learning_rate} --out={trial_dir} --style=pattern --seconds=0.2"
    trainer["command"] = f"python train.py {hold} {options}"
    trainer["stop"] = {"grace_s": 2}
    with space.open("w") as file:
        YAML().dump(document, file)
    return space


class Laptop:
    """Types commands on a machine of its own."""

    def __init__(self, head: Head, address: str, folder: Path) -> None:
        self.folder = folder
        self.environment = head.environment_of(Machine(folder / "laptop"))
        self.runs = ("--runs", address)
        self.to_head = ("--address", head.address, *self.runs)

    def types(self, *words: object, expected: int = 0, cache: Path | None = None) -> str:
        here = {} if cache is None else {"XDG_CACHE_HOME": str(cache)}
        done = subprocess.run(
            [sys.executable, "-m", "sweeper", *map(str, words)],
            env={**self.environment, **here}, capture_output=True, text=True, check=False,
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    def keeps(self, head: Head) -> str:
        """On the head's machine, where a driver that was killed is known to be dead at once."""
        return self.types("keep", "--once", *self.to_head, cache=head.cache)


def seen(address: str, holds: Callable[[Monitor], Any]) -> Monitor:
    """The sweep, once this holds."""
    gives_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        monitor = Monitor(find_run_folder(runs_folder(address), "foreign"))
        if holds(monitor):
            return monitor
        if time.monotonic() > gives_up:
            logs = [path.read_text() for path in monitor.folder.attempts.glob("*.log")]
            raise AssertionError((monitor.state_name, logs))
        time.sleep(0.5)


def evaluations(monitor: Monitor) -> int:
    return sum(len(trial.evaluations) for trial in monitor.state.trials.values())


def checkpoints(monitor: Monitor) -> list[str]:
    return [trial.checkpoint for trial in monitor.state.trials.values() if trial.checkpoint]


def test_lost_drivers_a_stop_and_a_lost_cluster_change_no_decision(
    tmp_path: Path, head: Head, address: str, space: Path, hold: Path
) -> None:
    laptop = Laptop(head, address, tmp_path)
    expected = decisions(tmp_path / "undisturbed", "pattern")
    assert "submitted as job sweeper-foreign-1-" in laptop.types("submit", space, *laptop.to_head)
    space.parent.rename(tmp_path / "gone")  # nothing of it is needed any more

    monitor = seen(address, lambda m: m.is_running and evaluations(m) > 1)
    hold.touch()
    assert ": running, " in laptop.types("status", "foreign", *laptop.runs)
    assert laptop.keeps(head) == ""
    os.kill(monitor.state.sessions[-1].environment.pid, signal.SIGKILL)
    seen(address, lambda m: not m.is_running)
    assert "attempt 2 is job" in laptop.keeps(head)

    gone_on(address, hold, sessions=2)
    assert "has stopped" in laptop.types("stop", "foreign", *laptop.runs)
    monitor = seen(address, lambda m: not m.is_running)
    assert monitor.state.outcome == "interrupted"
    assert checkpoints(monitor)
    assert "foreign: stopped: `stop` was typed" in laptop.keeps(head)
    waited = laptop.types("wait", "foreign", *laptop.runs, expected=130)
    assert "interrupted (stopped" in waited
    again = laptop.types("submit", "foreign", *laptop.to_head)
    assert "submitted as job sweeper-foreign-4-" in again  # the stop has taken the 3

    gone_on(address, hold, sessions=3)
    head.kill()
    head.start()
    assert "attempt 5 is job" in laptop.keeps(head)
    hold.unlink()
    laptop.types("wait", "foreign", *laptop.runs)
    folder = find_run_folder(runs_folder(address), "foreign")
    assert decided(folder) == expected
    assert len(read_attempts(folder)) == 5
    assert "completed" in laptop.types("logs", "foreign", *laptop.runs)
    assert "step" in laptop.types("logs", "foreign", "0000", *laptop.runs)
    told = laptop.types("submit", "foreign", *laptop.to_head, expected=2)
    assert "it has finished" in told


def gone_on(address: str, hold: Path, *, sessions: int) -> None:
    """This session has come further, and is held there."""
    running = seen(address, lambda m: m.is_running and len(m.state.sessions) == sessions)
    before = evaluations(running)
    hold.unlink()
    seen(address, lambda m: evaluations(m) > before)
    hold.touch()
