"""From what the user names (files, folders, `-`) to the list of files to read."""

import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from sweeper.corpus.reading.arrow import without_descriptions
from sweeper.corpus.reading.left_out import LeftOut, Tally
from sweeper.corpus.reading.names import printable, shortened
from trainable.errors import DataError

STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file to read.

    `name` is what messages and meta.json call it. A file that the user named must be text; one
    that was found in a folder (`folder`) may be passed over.
    """

    path: Path
    name: str
    num_bytes: int
    folder: str | None = None


class Source(BaseModel):
    """A file that was read, or (`files` above 1) a large folder as one: its entry in meta.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    bytes: int
    sha256: str
    files: int = 1


def find_files(
    inputs: Sequence[str],
    spool_folder: Path,
    *,
    marks: frozenset[str] = frozenset(),
    left_out: Tally | None = None,
) -> list[InputFile]:
    """The files behind `inputs`, in order, each once; folders are walked in sorted order, and so
    are linked ones.

    Standard input and pipes are copied into `spool_folder`: a tokenizer that is trained needs to
    read them twice, and a file has a known size.

    Args:
        marks: Names of files; a folder that holds all of them is a prepared one.
        left_out: Counts what is passed over.

    Raises:
        DataError: an input that does not exist, cannot be read, or a folder without files.
    """
    search = _Search(spool_folder, marks, Tally() if left_out is None else left_out)
    found: dict[Path, InputFile] = {}
    for text in dict.fromkeys(inputs):  # a pipe that is named twice can be read once
        for file in search.files_of(text):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def check_inputs_exist(inputs: Sequence[str]) -> None:
    """Raises:
    DataError: naming the first input that is not there, or is of a kind that holds no text.
    """
    for text in inputs:
        if text != STDIN:
            _status_of(text)


def stdlib_files() -> list[InputFile]:
    """The corpus that is on every machine: the running Python's standard library, sorted.

    Third-party packages, tests and the large demo programs are left out.
    """
    left_out = {"site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo"}
    root = sysconfig.get_path("stdlib")
    return [
        file
        for file in _Search(Path(), frozenset(), Tally(), follow_links=False).walk(root)
        if file.path.suffix == ".py"
        and left_out.isdisjoint(file.path.relative_to(root).parts)
        # written by the build of this very interpreter: paths and flags of one machine
        and not file.path.name.startswith("_sysconfigdata")
    ]


@dataclass(frozen=True)
class _Search:
    """One search for files, through everything that the user names."""

    spool_folder: Path
    marks: frozenset[str]
    left_out: Tally
    follow_links: bool = True
    _entered: set[tuple[int, int]] = field(default_factory=set)  # a link may lead back

    def files_of(self, text: str) -> Iterator[InputFile]:
        if text == STDIN:
            if sys.stdin is None:
                raise DataError("-: standard input is closed; pipe text in, or name files")
            yield self._spooled(sys.stdin.buffer, "standard input")
            return
        status, path, name = _status_of(text), Path(text), printable(text)
        if stat.S_ISDIR(status.st_mode):
            yield from self._files_in(text)
        elif stat.S_ISREG(status.st_mode):
            yield InputFile(path=path, name=name, num_bytes=status.st_size)
        else:
            try:
                pipe = path.open("rb")
            except OSError as error:
                raise _unreadable(name, error) from error
            with pipe:
                yield self._spooled(pipe, name)

    def _files_in(self, folder: str) -> Iterator[InputFile]:
        known = _identity(folder) in self._entered
        files = list(self.walk(folder))
        if not files and not known:
            name = printable(folder)
            raise DataError(f"{name}: the folder holds no files (hidden ones do not count)")
        yield from files

    def walk(self, folder: str) -> Iterator[InputFile]:
        try:
            yield from self._walk(folder)
        except OSError as error:
            name = error.filename if isinstance(error.filename, str) else folder
            raise _unreadable(printable(name), error) from error

    def _walk(self, folder: str) -> Iterator[InputFile]:
        def refuse(error: OSError) -> None:
            raise error

        for parent, folders, names in os.walk(
            folder, onerror=refuse, followlinks=self.follow_links
        ):
            identity = _identity(parent)
            prepared = bool(self.marks) and self.marks.issubset(names)
            if prepared and parent == folder:
                raise DataError(
                    f"{printable(folder)}: holds tokens, not text: `prepare` made it; name text, "
                    "or this folder as the data of a sweep"
                )
            if prepared or identity in self._entered:
                self.left_out[LeftOut.prepared] += prepared
                folders.clear()
                continue
            self._entered.add(identity)
            folders[:] = sorted(name for name in folders if self._leads_on(parent, name))
            texts = sorted(without_descriptions(names))
            for path in (Path(parent, name) for name in texts if not _is_hidden(name)):
                if not path.is_file():
                    self.left_out[LeftOut.not_files] += 1
                    continue
                yield InputFile(
                    path=path,
                    name=printable(str(path)),
                    num_bytes=path.stat().st_size,
                    folder=printable(folder),
                )

    def _leads_on(self, parent: str, name: str) -> bool:
        """Whether a folder is to be walked: not a hidden one, nor a link to one that it is in."""
        folder = os.path.join(parent, name)
        if _is_hidden(name) or not os.path.islink(folder):
            return not _is_hidden(name)
        here, there = os.path.realpath(parent), os.path.realpath(folder)
        leads_back = os.path.commonpath((here, there)) == there
        self.left_out[LeftOut.loops] += leads_back
        return not leads_back

    def _spooled(self, stream: BinaryIO, name: str) -> InputFile:
        path = self.spool_folder / f"spool-{len(list(self.spool_folder.iterdir()))}"
        with path.open("wb") as copy:
            shutil.copyfileobj(_Reading(stream, name), copy, length=1 << 20)
        return InputFile(path=path, name=name, num_bytes=path.stat().st_size)


@dataclass(frozen=True)
class _Reading:
    """A stream whose errors name it: those of the copy are the output's."""

    stream: BinaryIO
    name: str

    def read(self, size: int = -1) -> bytes:
        try:
            return self.stream.read(size)
        except OSError as error:
            raise _unreadable(self.name, error) from error


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _status_of(text: str) -> os.stat_result:
    """Raises:
    DataError: nothing is there, or something that holds no text.
    """
    name = shortened(text)
    try:
        status = os.stat(text)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name}: no such file or folder; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(name, error) from error
    for is_kind, kind in ((stat.S_ISSOCK, "socket"), (stat.S_ISBLK, "device")):
        if is_kind(status.st_mode):
            raise DataError(f"{name}: is a {kind}; name files, folders, pipes, or -")
    if stat.S_ISCHR(status.st_mode) and not _is_terminal(text):  # /dev/zero has no end
        raise DataError(f"{name}: is a device; name files, folders, pipes, or -")
    return status


def _is_terminal(text: str) -> bool:
    try:
        descriptor = os.open(text, os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(name: str, error: OSError | ValueError) -> DataError:
    return DataError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}")
