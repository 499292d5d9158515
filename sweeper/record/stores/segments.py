"""A journal in a bucket, which has no append: numbered segments, each written once and never again.

That is the fence as well. Whoever writes a segment has read all before it; of two who write the
same number, one succeeds, and the other's is not the journal any more.
"""

import json
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sweeper.record.buckets.bucket import Bucket
from sweeper.typed_json import read_json

JOURNAL = "journal"  # the segments' folder
AT_ONCE = 16  # requests to a bucket


class Fenced(Exception):
    """Another driver has gone on with the sweep; its message says who."""


def segment_name(number: int) -> str:
    return f"{JOURNAL}/{number:09d}.jsonl"


class SegmentWriter:
    """Writes one journal on, from the segments that it was opened after."""

    def __init__(self, bucket: Bucket, after: int) -> None:
        """
        Args:
            after: The number of segments there are.
        """
        self.bucket = bucket
        self.number = after
        who = {
            "writer": secrets.token_hex(8),
            "epoch": after + 1,  # its first segment: grows from driver to driver
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self._header = json.dumps(who).encode() + b"\n"

    def commit(self, lines: bytes) -> None:
        """The journal has these lines when this returns.

        Raises:
            Fenced: another driver has written this segment.
            OSError: the bucket failed for too long. Whether it has the lines is not known.
        """
        name, content = segment_name(self.number + 1), self._header + lines
        if not self.bucket.create(name, content):
            # A retry may have met its own first try, whose answer was lost: that says who wrote.
            there = self.bucket.get(name)
            if there != content:
                raise Fenced(_writer(there))
        self.number += 1

    def has_written(self, segment: bytes) -> bool:
        return segment.startswith(self._header)


def read_segments(bucket: Bucket, after: int) -> list[tuple[bytes, datetime]]:
    """The lines of the segments beyond the first `after`, in order, and when each was written.

    Raises:
        OSError: the bucket does not answer; a segment is not there though a later one is.
    """
    names = list(bucket.objects(JOURNAL, segment_name(after)))
    wanted = [segment_name(after + 1 + n) for n in range(len(names))]
    with ThreadPoolExecutor(AT_ONCE) as readers:
        segments = list(readers.map(bucket.read, wanted))
    return [(content.partition(b"\n")[2], written) for content, written in segments]


def _writer(segment: bytes) -> str:
    try:
        who = read_json(dict[str, object], segment.partition(b"\n")[0])
        return f"process {who['pid']} on {who['host']}"
    except (ValueError, LookupError):
        return "another program"
