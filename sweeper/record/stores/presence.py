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

PRESENCE = "driver.json"
COPY_ID = ".copy-id"  # in a working copy
SAID_EVERY_SECONDS = 3.0
GONE_SECONDS = 30.0  # after its last word
SILENT_SECONDS = 7.0  # in which it says something twice


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
        driver = Driver(**json.loads(said))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    age = (datetime.now(UTC) - changed).total_seconds()
    return None if age > GONE_SECONDS else (driver, GONE_SECONDS - age)


def is_silent(bucket: Bucket) -> bool:
    """Whether nobody says anything while one listens. Unlike the age of the last word, that needs
    no clock that agrees with the bucket's.

    Raises:
        OSError: the bucket does not answer.
    """
    before = _last_word(bucket)
    if before is not None:
        time.sleep(SILENT_SECONDS)
    return _last_word(bucket) == before


def _last_word(bucket: Bucket) -> datetime | None:
    try:
        return bucket.read(PRESENCE)[1]
    except FileNotFoundError:
        return None
