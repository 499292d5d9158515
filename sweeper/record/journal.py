"""The record of a sweep: an append-only file of JSON lines, stored before anything acts on it."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sweeper.errors import RunFolderError, StorageError
from sweeper.record.run_folder import RunFolder, no_journal
from sweeper.record.state.event_lines import read_line, to_line
from sweeper.record.state.events import Event
from trainable.atomic_file import write_atomically

BLOCK = 2**16  # bytes
GATHERED_SECONDS = 0.2  # events that nobody acts on, before they are brought to a bucket together


class Journal:
    """Appends events to a journal file. The run folder's lock makes sure that no other driver does;
    what an editor or a shell does to the file is undone, since all of it is kept in memory too."""

    def __init__(self, folder: RunFolder) -> None:
        """Opens the file, or makes it. A last line that a kill has torn is cut off."""
        self.folder = folder
        self.path = path = folder.journal
        self.torn = cut_torn_line(path)
        self.failure: StorageError | None = None
        self.times_put_back = 0
        self._log = self.folder.store.log()
        self._pending = bytearray()
        self._pending_since = 0.0
        self._file = path.open("a+b", buffering=0)
        self._content = bytearray(self._read())
        self._changed_ns = self._status.st_mtime_ns

    def append(self, event: Event) -> None:
        """Write one event; on disk when this returns. One that goes to a bucket is there, with
        those before it, after `commit`.

        Raises:
            StorageError: it could not be written; then nothing after it can be written either.
        """
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending += to_line(event)
        if self.failure is not None:
            raise self.failure
        if not self._log.batches:
            self.commit()

    def commit_in_time(self) -> None:
        """All that was appended a moment ago is on storage when this returns, and what came since
        with it. A kill may lose that moment, as if it had come before.

        Raises:
            StorageError: as `append`.
        """
        if time.monotonic() - self._pending_since >= GATHERED_SECONDS:
            self.commit()

    def commit(self) -> None:
        """All that was appended is on storage when this returns. A file that somebody has changed
        is put back first: what follows the change could not be read.

        Raises:
            StorageError: as `append`.
        """
        if not self._pending:
            return
        if self.failure is not None:
            raise self.failure
        lines, self._pending = bytes(self._pending), bytearray()
        try:
            self._log.commit(lines)
            if not self._is_as_left:
                self.put_back()
            left = lines
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            self._content += lines
            self._changed_ns = self._status.st_mtime_ns
            self._log.written(len(self._content))
        except OSError as error:
            self.failure = StorageError(self._told(error))
            raise self.failure from error

    def _told(self, error: OSError) -> str:
        folder = self.folder
        if error.errno == errno.ESTALE:
            return (
                f"{folder.place}: {error.strerror}, so this driver has ended; "
                f"watch the other: python -m sweeper status {folder.called}"
            )
        return (
            f"{folder.place}/{self.path.name}: cannot be written ({error.strerror}), so the sweep "
            f"has stopped; {folder.remedy}, then: python -m sweeper resume {folder.called}"
        )

    @property
    def num_lines(self) -> int:
        return self._content.count(b"\n")

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is written to is still where it was made, and as it was left."""
        try:
            is_there = os.path.samestat(self._status, self.path.stat())
        except FileNotFoundError:
            return False
        return is_there and self._is_as_left

    @property
    def _is_as_left(self) -> bool:
        status = self._status
        if status.st_size == len(self._content) and status.st_mtime_ns != self._changed_ns:
            if self._read() != self._content:
                return False
            self._changed_ns = status.st_mtime_ns  # as by `touch`
        return status.st_size == len(self._content)

    @property
    def _status(self) -> os.stat_result:
        return os.fstat(self._file.fileno())

    def _read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    @property
    def moved_to(self) -> Path | None:
        """Where the file is now; None if it has been deleted."""
        if not self._status.st_nlink:
            return None
        try:
            return Path(os.readlink(f"/proc/self/fd/{self._file.fileno()}"))
        except OSError:  # only Linux says
            return self.path

    def put_back(self) -> None:
        """Write the file anew where it was made, with all that was appended."""
        write_atomically(self.path, lambda file: file.write(self._content))
        self._file.close()
        self._file = self.path.open("a+b", buffering=0)
        self._changed_ns = self._status.st_mtime_ns
        self.times_put_back += 1

    def close(self) -> None:
        self._file.close()


def begin_journal(folder: RunFolder) -> None:
    """Have a journal in which nothing is yet: a sweep that a driver elsewhere is to begin.

    Raises:
        OSError: it cannot be written.
    """
    log = folder.store.log()
    log.commit(b"")
    folder.journal.touch()
    log.written(0)


def begin_unbegun(folder: RunFolder) -> None:
    """Begin a sweep of which a kill has left no more than the search space. Others are left.

    Raises:
        RunFolderError: its journal is lost; another process is at work in it.
        OSError: it cannot be written.
    """
    if not folder.spec.is_file() or folder.journal.exists():
        return
    with folder.locked():
        if folder.journal.exists():
            return
        if folder.trials.is_dir() and any(folder.trials.iterdir()):
            raise no_journal(folder)
        begin_journal(folder)


def read_journal(path: Path) -> Iterator[Event]:
    """The events of a journal, in order. A torn last line is left out.

    Raises:
        RunFolderError: another line is no event; the message names it.
    """
    yield from JournalReader(path).new_events()


class JournalReader:
    """Reads a journal as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0  # read so far
        self._position = 0

    def new_events(self) -> Iterator[Event]:
        """The events since the last call, in order. A torn last line is left for the next call.

        Raises:
            RunFolderError: as `read_journal`.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            raise _missing(self.path) from None
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); restore it from a copy"
            raise RunFolderError(f"{self.path}: {problem}") from None
        for line in lines[:-1]:  # what follows the last newline is torn
            self.lines += 1
            self._position += len(line) + 1
            try:
                yield read_line(line)
            except ValueError as error:
                raise damaged_line(f"{self.path}:{self.lines}", str(error)) from None


def _missing(path: Path) -> RunFolderError:
    folder = RunFolder(path.parent)
    if not folder.results.is_file():
        return RunFolderError(f"{path}: no such file; is this a sweep's run folder?")
    return RunFolderError(
        f"{path}: no such file; restore it from a copy. What the tables hold is shown by: "
        f"python -m sweeper report {folder.called}"
    )


def damaged_line(where: str, problem: str) -> RunFolderError:
    """The error for a line (`FILE:LINE`) that no sweep has written."""
    return RunFolderError(
        f"{where}: damaged journal line ({problem}); "
        f"restore the file from a copy, or start a new sweep"
    )


def cut_torn_line(path: Path) -> bool:
    """Cut off what follows a file's last newline. Returns whether there was anything."""
    if not path.exists():
        return False
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_last_line(file, size)
        if whole == size:
            return False
        file.truncate(whole)
        os.fsync(file.fileno())
    return True


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    """Looked for from the file's end: a journal of thousands of trials has many megabytes."""
    end = size
    while end:
        start = max(0, end - BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
