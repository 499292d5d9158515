"""Where a run folder is kept: all that differs between a disk and a bucket. Whoever reads or writes
a run folder finds a folder on this machine either way."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

STUB = ".in_bucket"  # in a checkpoint of which the bucket has the rest; how many bytes that is


class InUse(Exception):
    """A driver is at work; the message says more of it, if there is more."""

    def __init__(self, said: str = "", left: float | None = None) -> None:
        """
        Args:
            left: Seconds after which a driver that is gone is no more believed to be at work.
        """
        super().__init__(said)
        self.left = left


class Log(Protocol):
    """A driver's journal, beyond the file in its folder."""

    batches: bool  # events are worth gathering: each commit takes a while

    def commit(self, lines: bytes) -> None:
        """Have these lines where all drivers look, before they are in the file.

        Raises:
            OSError: they cannot be written; another driver has gone on (`Fenced`).
        """

    def written(self, num_bytes: int) -> None:
        """They are in the file now, which has so many bytes."""


class Store(Protocol):
    """Keeps one run folder. Each method raises an `OSError` where that cannot be done."""

    @property
    def address(self) -> str | None:
        """Of the bucket."""

    def held(self) -> AbstractContextManager[None]:
        """Be the one driver.

        Raises:
            InUse: there is another.
        """

    def claim(self, spec: Path) -> bool:
        """Begin a sweep of this name, by its spec. False: there is one."""

    @property
    def is_held(self) -> bool:
        """Whether a driver is at work, on any machine. What it has said until then can be read."""

    def is_silent(self) -> bool:
        """Whether no driver is at work, by what is heard of it rather than by the clock. It takes
        a while of being asked until that is known."""

    def pull(self) -> None:
        """Bring what others have written into the folder."""

    def log(self) -> Log:
        """For the driver."""

    def see(self, folders: Path) -> None:
        """Have the names and the progress of the checkpoints under this path in the folder."""

    def fetch(self, folder: Path) -> None:
        """Have all files of a checkpoint in the folder."""

    def put(self, path: Path) -> None:
        """A file, or a checkpoint, has been written here: have it where all find it. So too where
        a file has been deleted."""

    def create(self, path: Path, content: bytes) -> bool:
        """Have this file where all find it. False: there is one. Of many who try, one succeeds."""

    def get(self, path: Path) -> None:
        """Have this file here, which `pull` leaves where it is."""

    def copy(self, source: Path, target: Path) -> None:
        """A checkpoint has been copied here."""

    def hide(self, folder: Path) -> None:
        """Nobody finds this checkpoint from here on. What there is of it is left to `delete`."""

    def delete(self, folder: Path) -> None:
        """A checkpoint is to be no more."""

    def leave_older(self, newest: Path) -> None:
        """A trial has saved this checkpoint here. Where that is not the driver's machine, nobody
        removes its older ones from this folder, and they are needed elsewhere only."""


def folder_bytes(folder: Path) -> int:
    """Of a checkpoint, wherever the most of it is."""
    try:
        return int((folder / STUB).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
