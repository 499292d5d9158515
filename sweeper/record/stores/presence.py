"""Whether a driver is at work on a run in a bucket: it says so again and again.

This keeps two people out of each other's way. What keeps two drivers apart is the journal's fence.
"""

import json
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweeper.record.buckets.bucket import Bucket
from sweeper.typed_json import read_json

PRESENCE = "driver.json"
COPY_ID = ".copy-id"  # in a working copy
SAID_EVERY_SECONDS = 3.0
GONE_SECONDS = 20.0  # after its last word


@dataclass(frozen=True)
class Driver:
    """Who is at work."""

    host: str
    pid: int
    copy: str  # a name of its working copy that no other has, on whatever machine or in a container

    @classmethod
    def here(cls, copy: Path) -> "Driver":
        if (known := _id_of(copy)) is None:
            known = secrets.token_hex(8)
            (copy / COPY_ID).write_text(known, encoding="utf-8")
        return cls(socket.gethostname(), os.getpid(), known)

    def is_of(self, copy: Path) -> bool:
        """Whether this machine's lock on the working copy says if it lives."""
        return (self.host, self.copy) == (socket.gethostname(), _id_of(copy))

    def say(self, bucket: Bucket) -> None:
        bucket.put(PRESENCE, json.dumps(asdict(self)).encode())


def _id_of(copy: Path) -> str | None:
    try:
        return (copy / COPY_ID).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def driver_of(bucket: Bucket) -> tuple[Driver, float] | None:
    """Who said last that it is at work, and for how many seconds it may still be believed.

    Raises:
        OSError: the bucket does not answer.
    """
    try:
        said, changed = bucket.read(PRESENCE)
    except FileNotFoundError:
        return None
    if (driver := _read(said)) is None:
        return None
    age = (datetime.now(UTC) - changed).total_seconds()
    return None if age > GONE_SECONDS else (driver, GONE_SECONDS - age)


def _read(said: bytes) -> Driver | None:
    try:
        return read_json(Driver, said)
    except ValueError:
        return None


class Ear:
    """Whether a driver is at work, by what is heard of it. Unlike the age of its last word, that
    needs no clock that agrees with the bucket's; but it takes its time."""

    def __init__(self, bucket: Bucket, copy: Path) -> None:
        """
        Args:
            copy: This machine's, on which no driver is at work.
        """
        self._bucket = bucket
        self._copy = copy
        self._last: datetime | None = None
        self._asked: float | None = None
        self._silent = 0.0  # seconds that one has listened since the last word

    def is_silent(self) -> bool:
        """Is asked again and again. A long time in between counts for half of what it takes, and
        after a bucket that did not answer one listens anew: the driver could not speak either.

        Raises:
            OSError: the bucket does not answer.
        """
        before, self._asked = self._asked, None
        now = time.monotonic()
        try:
            said, word = self._bucket.read(PRESENCE)
        except FileNotFoundError:
            return True
        self._asked = time.monotonic()  # what was tried again and again until then is no listening
        if (driver := _read(said)) is not None and driver.is_of(self._copy):
            return True
        if before is None or word != self._last:
            self._last, self._silent = word, 0.0
        else:
            self._silent += min(now - before, GONE_SECONDS / 2)
        return self._silent >= GONE_SECONDS
