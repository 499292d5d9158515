"""A trial's own folder for what its program writes. One program at a time is at work in it."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.process import Claim

LOOK_SECONDS = 0.02
ENDING_SECONDS = 10.0  # that an ended program may take to be gone, beyond its grace


@contextmanager
def alone(folder: Path, grace_s: float) -> Iterator[Claim]:
    """Claim it, and wait until no program of an attempt before, whose process was killed or has
    paused elsewhere, is at work there: its keeper ends it as it sees the claim.

    Raises:
        TrainerError: one does not end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + grace_s + ENDING_SECONDS
    word = uuid4().hex
    try:
        os.pwrite(lock, word.encode(), 0)
        while not _taken(lock, folder):
            if time.monotonic() > deadline:
                raise TrainerError(f"{folder}: the program of an attempt before still runs there")
            time.sleep(LOOK_SECONDS)
        yield Claim(lock, word)
    finally:
        os.close(lock)


def _taken(lock: int, folder: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # as on some network file systems
        raise TrainerError(
            f"{folder}: files cannot be locked there ({error.strerror}); put the runs on another "
            "file system: --runs"
        ) from None
    return True


def clear(folder: Path) -> None:
    """Nothing of an attempt before may be taken for this one's."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
