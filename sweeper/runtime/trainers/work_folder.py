"""A trial's own folder for what its program writes. One program at a time is at work in it."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeper.errors import TrainerError

LOOK_SECONDS = 0.02
ENDING_SECONDS = 10.0  # that an ended program may take to be gone, beyond its grace


@contextmanager
def alone(folder: Path, grace_s: float) -> Iterator[int]:
    """Wait until no program of an attempt before, whose process was killed or has paused elsewhere,
    is at work there. Gives the descriptor of a lock for the next one, which holds it as it lives.

    Raises:
        TrainerError: one does not end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + grace_s + ENDING_SECONDS
    try:
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise TrainerError(f"{folder}: the program of an attempt before still runs there")
            time.sleep(LOOK_SECONDS)
        yield lock
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def clear(folder: Path) -> None:
    """Nothing of an attempt before may be taken for this one's."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
