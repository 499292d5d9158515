"""Where a program saves itself, and what can be seen there."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from glob import escape
from pathlib import Path

from sweeper.errors import TrainerError

STEP_FIELD = "{step:d}"

# What tells one state of a file or a folder from the next: each file's name, inode, size and time.
Signature = tuple[tuple[str, int, int, int], ...]


def signature(path: Path) -> Signature:
    """Empty where there is nothing."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        states.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(states)


def is_renamed(path: Path) -> bool:
    """Whether the last thing that has happened to it was to get its name. A rename changes the time
    of what is renamed (ctime) and not that of what is in it (mtime). False where the two came
    within a tick of the clock."""
    try:
        stat = path.stat()
        last = max((file.stat().st_mtime_ns for file in path.rglob("*")), default=0)
    except OSError:
        return False
    return stat.st_ctime_ns > max(stat.st_mtime_ns, last)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a program saves itself: a file or a folder; `{step:d}` in its path is the step, with or
    without zeros before it.

    `marker`: a file in that folder, or beside that file, written once the checkpoint is whole.
    """

    path: str
    marker: str | None = None

    @property
    def is_pattern(self) -> bool:
        return STEP_FIELD in self.path

    def at(self, step: int) -> Path:
        """Where the checkpoint of a step is."""
        if (there := self.by_step().get(step)) is not None:
            return there
        return Path(self.path.replace(STEP_FIELD, str(step)))

    def like(self, earlier: str, step: int) -> Path:
        """Where the checkpoint of a step belongs that was at `earlier`, maybe in another trial's
        folder: the step is written as it was there."""
        if self.is_pattern:
            last = "/".join(Path(earlier).parts[-len(Path(self._below).parts) :])
            if self._name.fullmatch(last):
                return self._above / last
        return self.at(step)

    def by_step(self) -> dict[int, Path]:
        """The checkpoints whose path tells their step.

        Raises:
            TrainerError: two tell the same.
        """
        found: dict[int, Path] = {}
        if self.is_pattern and self._above.is_dir():
            for path in self._above.glob("*".join(map(escape, self._below.split(STEP_FIELD)))):
                match = self._match(path)
                if match is not None and len(steps := {*map(int, match.groups())}) == 1:
                    step = steps.pop()
                    if (other := found.setdefault(step, path)) is not path:
                        raise TrainerError(
                            f"{other} and {path} are both of step {step} (trainer.checkpoint.path)"
                        )
        return found

    def marker_of(self, path: Path) -> Path | None:
        """What says that this checkpoint is whole; None where nothing is stated that would."""
        if self.marker is None:
            return None
        name = self.marker
        if self.is_pattern and (match := self._match(path)) is not None:
            name = name.replace(STEP_FIELD, match[1])
        return Path(os.path.normpath((path if path.is_dir() else path.parent) / name))

    def _match(self, path: Path) -> re.Match[str] | None:
        return self._name.fullmatch(path.relative_to(self._above).as_posix())

    @cached_property
    def _above(self) -> Path:
        """The folder above all that is named by the step."""
        return Path(self.path[: self.path.index(STEP_FIELD)] + "x").parent

    @cached_property
    def _below(self) -> str:
        return Path(self.path).relative_to(self._above).as_posix()

    @cached_property
    def _name(self) -> re.Pattern[str]:
        return re.compile(r"(\d+)".join(map(re.escape, self._below.split(STEP_FIELD))))
