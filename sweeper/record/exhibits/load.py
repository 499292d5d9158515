"""`load.jsonl`: how busy the driver's machine was, a line every few seconds."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sweeper.record.journal import cut_torn_line


@dataclass(frozen=True, kw_only=True)
class Load:
    """Shares from 0 to 1. Of the GPUs None where there are none, or nothing is known of them."""

    time: datetime
    processors: float  # in the mean since the line before
    memory: float
    gpus: float | None = None  # the mean over all of them
    gpu_memory: float | None = None


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
        read = json.loads(line)
        known = [name for name in ("gpus", "gpu_memory") if read.get(name) is not None]
        return Load(
            time=datetime.fromisoformat(read["time"]),
            processors=_share(read["processors"]),
            memory=_share(read["memory"]),
            **{name: _share(read[name]) for name in known},
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _share(value: object) -> float:
    """
    Raises:
        ValueError: it is no number from 0 to 1.
    """
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError
    return float(value)
