"""SIGTERM while trials are in trouble: the driver ends all the same, and has said so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.driver import BACKOFF
from tests.sweeper.runtime.ray_tune.faulty_trainers import RAISES, SOUND, STUCK

ROOT = Path(__file__).parents[4]


def events(folder: RunFolder) -> list[dict[str, Any]]:
    return list(raw_events(folder.journal)) if folder.journal.exists() else []


def waits(folder: RunFolder, notes: Path) -> bool:
    """A trial waits for its next attempt, for longer than the driver may take to end."""
    return any(event["event"] == "attempt_failed" for event in events(folder))


def hangs(folder: RunFolder, notes: Path) -> bool:
    return notes.exists()


@pytest.mark.parametrize("rate, trouble", [(RAISES, waits), (SOUND, hangs)])
def test_sigterm_in_trouble(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    rate: float,
    trouble: Callable[[RunFolder, Path], bool],
) -> None:
    notes, runs = tmp_path / "notes", tmp_path / "runs"
    space = write_space(
        space={"learning_rate": {"grid": [rate]}}, scheduler={"type": "fifo"}, max_retries=9
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.sweeper.runtime.ray_tune.driver",
            "run",
            str(space),
            str(runs),
            STUCK,
        ],
        cwd=ROOT,
        env={**os.environ, BACKOFF: "60"},
        start_new_session=True,
    )
    folder = RunFolder(runs / "tiny")
    while not trouble(folder, notes):
        assert process.poll() is None, "the sweep ended before it could be interrupted"
        time.sleep(0.05)  # between two looks at the condition
    before = events(folder)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == ExitCode.INTERRUPTED
    (last,) = events(folder)[len(before) :]
    assert (last["event"], last["outcome"]) == ("session_ended", "interrupted")
