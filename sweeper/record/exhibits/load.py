"""`load.jsonl`: how busy the driver's machine was, a line every few seconds."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sweeper.record.journal import cut_torn_line
from sweeper.record.state.events import Moment
from sweeper.typed_json import read_json

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Shares from 0 to 1. Of the GPUs None where there are none, or nothing is known of them."""

    time: Moment
    processors: Share  # in the mean since the line before
    memory: Share
    gpus: Share | None = None  # the mean over all of them
    gpu_memory: Share | None = None


class LoadFile:
    """A kill loses the line that is being written, and no other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        cut_torn_line(path)

    def append(self, load: Load) -> None:
        line = json.dumps(asdict(load) | {"time": load.time.isoformat()})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def read_loads(path: Path) -> tuple[Load, ...]:
    """Without lines that are none, as a torn last one; nothing where there is no file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(load for line in lines if (load := _load(line)) is not None)


def _load(line: str) -> Load | None:
    try:
        return read_json(Load, line)
    except ValueError:
        return None
