"""SIGTERM while trials are in trouble: the driver ends all the same, and has said so."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.driver import BACKOFF
from tests.sweeper.runtime.ray_tune.faulty_trainers import RAISES, SOUND, STUCK
from tests.sweeper.runtime.ray_tune.sessions import session_of
from tests.sweeper.waiting import wait_until


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
    monkeypatch: pytest.MonkeyPatch,
    rate: float,
    trouble: Callable[[RunFolder, Path], bool],
) -> None:
    notes, runs = tmp_path / "notes", tmp_path / "runs"
    space = write_space(
        space={"learning_rate": {"grid": [rate]}}, scheduler={"type": "fifo"}, max_retries=9
    )
    monkeypatch.setenv(BACKOFF, "60")
    process, folder = session_of(STUCK, "run", space, runs), RunFolder(runs / "tiny")
    wait_until(process, lambda: trouble(folder, notes))
    before = events(folder)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == ExitCode.INTERRUPTED
    (last,) = events(folder)[len(before) :]
    assert (last["event"], last["outcome"]) == ("session_ended", "interrupted")
