"""A screen that goes away while a sweep runs, and a terminal that is closed."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.progress import read_progress
from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.driver import GATE, PATIENCE, PAUSING, ROOT, SHOWN
from tests.sweeper.runtime.ray_tune.test_kills import events
from tests.sweeper.waiting import wait_until

DRIVER = [sys.executable, "-m", "tests.sweeper.runtime.ray_tune.driver", "run"]


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    monkeypatch.setenv(SHOWN, "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path / "gate"


def started(
    space: Path, folder: RunFolder, gate: Path, prepare: Callable[[], Any] | None = None, **to: Any
) -> subprocess.Popen[str]:
    """A sweep whose first trial hangs at step 6 until the gate opens."""
    command = [*DRIVER, str(space), str(folder.path.parent), "HangingTrainer"]
    driver = subprocess.Popen(
        command, cwd=ROOT, text=True, start_new_session=True, preexec_fn=prepare, **to
    )
    wait_until(driver, gate.with_suffix(".waited-at").exists)
    return driver


def ignore_hangup() -> None:
    """As `nohup` and `trap '' HUP` do for what they start."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def assert_whole(folder: RunFolder) -> None:
    assert events(folder)[-1]["outcome"] == "finished"
    assert folder.report.exists()
    assert not any(event["event"] == "watcher_failed" for event in events(folder))


def assert_checkpointed(folder: RunFolder, step: int) -> None:
    assert events(folder)[-1]["outcome"] == "interrupted"
    saved = [read_progress(path) for path in folder.trials.glob("*/checkpoint_*")]
    assert step in [progress.step for progress in saved if progress]
    assert folder.report.exists()


@pytest.fixture
def sweep(tmp_path: Path, write_space: Any) -> tuple[Path, RunFolder]:
    space = write_space(
        space={"learning_rate": {"grid": [1e-4, 1e-3]}}, resources={"cpu": os.cpu_count()}
    )
    return space, RunFolder(tmp_path / "runs" / "tiny")


def test_a_pipe_that_is_closed_ends_nothing(sweep: tuple[Path, RunFolder], cluster: None) -> None:
    """`python -m sweeper run … 2>&1 | head -2`."""
    space, folder = sweep
    command = [
        sys.executable,
        "-m",
        "sweeper",
        "run",
        str(space),
        "--runs",
        str(folder.path.parent),
    ]
    run = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    head = [run.stdout.readline() for _ in range(2)]  # type: ignore[union-attr]
    assert head[0].startswith("Joining the Ray cluster at ")
    assert head[1].startswith("tiny")
    run.stdout.close()  # type: ignore[union-attr]
    assert run.wait() == ExitCode.DONE
    assert_whole(folder)


@pytest.mark.slow
def test_a_terminal_that_is_gone_ends_nothing(sweep: tuple[Path, RunFolder], gate: Path) -> None:
    space, folder = sweep
    ours, its = pty.openpty()
    driver = started(space, folder, gate, ignore_hangup, stdout=its, stderr=its)
    os.close(its)
    os.close(ours)
    os.killpg(driver.pid, signal.SIGHUP)
    gate.touch()
    assert driver.wait() == ExitCode.DONE
    assert_whole(folder)


@pytest.mark.parametrize(
    ("number", "own"),
    [(signal.SIGINT, True), pytest.param(signal.SIGHUP, False, marks=pytest.mark.slow)],
    ids=["SIGINT", "SIGHUP"],
)
def test_interrupted_without_a_screen_it_saves_what_runs(
    sweep: tuple[Path, RunFolder],
    cluster: None,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    own: bool,
) -> None:
    """`… 2>&1 | tee log` and Ctrl-C, which ends `tee` too, and goes to a Ray of the sweep's own; a
    terminal that is closed."""
    (space, folder), pausing = sweep, gate.with_suffix(".pausing")
    monkeypatch.setenv(PAUSING, str(pausing))
    monkeypatch.setenv(PATIENCE, "300")
    if own:
        monkeypatch.delenv("RAY_ADDRESS")
    driver = started(space, folder, gate, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    driver.stdout.close()  # type: ignore[union-attr]
    os.killpg(driver.pid, number)
    wait_until(driver, pausing.exists)
    gate.touch()
    assert driver.wait() == ExitCode.INTERRUPTED
    assert_checkpointed(folder, step=8)  # where its stretch of training ends
