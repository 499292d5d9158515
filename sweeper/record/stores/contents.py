"""Which files of a run its bucket has, and how much of that is on this machine."""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from sweeper.record.state.checkpoints import is_checkpoint_name
from sweeper.record.stores.presence import PRESENCE
from sweeper.record.stores.segments import JOURNAL
from sweeper.typed_json import read_json

COPIED = ".copy.json"  # how much of the bucket is here
JOURNAL_FILE = "journal.jsonl"
REQUESTS = ".requests"  # what others ask of the driver
KEPT_HERE = {JOURNAL_FILE, "optuna.db"}  # the journal has its segments, and mirrors are made anew
CODE = re.compile(r"code-[0-9a-f]+(\.zip)?")  # who runs a program of its user's gets it


@dataclass
class Copied:
    """What of the bucket is in the working copy."""

    segments: int = 0
    journal_bytes: int = 0  # with these segments
    etags: dict[str, str | None] = field(default_factory=dict)  # of each file there
    signatures: dict[str, str] = field(default_factory=dict)  # of the same file here

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Nothing where it does not say."""
        try:
            return read_json(cls, (folder / COPIED).read_bytes())
        except (OSError, ValueError):
            return cls()

    def write(self, folder: Path) -> None:
        temporary = folder / f"{COPIED}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(temporary, folder / COPIED)


def signature_of(path: Path) -> str:
    """Another one where the file has been written since."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def is_file_of_run(name: str) -> bool:
    first = name.partition("/")[0]
    is_other = first in {JOURNAL, PRESENCE, REQUESTS, *KEPT_HERE}
    is_other = is_other or name.endswith(".tmp")  # a table that is being written
    is_other = is_other or CODE.fullmatch(first) is not None
    return not is_other and checkpoint_of(name) is None


def checkpoint_of(name: str) -> str | None:
    """The checkpoint folder that an object is in."""
    parts = name.split("/")
    is_in_one = len(parts) > 3 and parts[0] == "trials" and is_checkpoint_name(parts[2])
    return "/".join(parts[:3]) if is_in_one else None
