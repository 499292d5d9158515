"""From what the user names (files, folders, `-`) to the list of files to read."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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


def find_files(inputs: Sequence[str], spool_folder: Path) -> list[InputFile]:
    """The files behind `inputs`, in order, each once; folders are walked in sorted order.

    Standard input and pipes are copied into `spool_folder`: a tokenizer that is trained needs to
    read them twice, and a file has a known size.

    Raises:
        DataError: an input that does not exist, cannot be read, or a folder without files.
    """
    found: dict[Path, InputFile] = {}
    for text in inputs:
        for file in _files_of(text, spool_folder):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def check_inputs_exist(inputs: Sequence[str]) -> None:
    """Raises:
    DataError: naming the first input that is not there.
    """
    for text in inputs:
        if text != STDIN and not Path(text).exists():
            raise DataError(f"{text}: no such file or folder; check the path")


def stdlib_files() -> list[InputFile]:
    """The corpus that is on every machine: the running Python's standard library, sorted.

    Third-party packages, tests and the large demo programs are left out.
    """
    left_out = {"site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo"}
    root = sysconfig.get_path("stdlib")
    return [
        file
        for file in _walk(root)
        if file.path.suffix == ".py"
        and left_out.isdisjoint(file.path.relative_to(root).parts)
        # written by the build of this very interpreter: paths and flags of one machine
        and not file.path.name.startswith("_sysconfigdata")
    ]


def _files_of(text: str, spool_folder: Path) -> Iterator[InputFile]:
    path = Path(text)
    try:
        if text == STDIN:
            yield _spooled(sys.stdin.buffer, "standard input", spool_folder)
        elif path.is_dir():
            files = list(_walk(text))
            if not files:
                raise DataError(f"{text}: the folder holds no files (hidden ones do not count)")
            yield from files
        elif path.is_file():
            yield InputFile(path=path, name=text, num_bytes=path.stat().st_size)
        else:
            with path.open("rb") as pipe:
                yield _spooled(pipe, text, spool_folder)
    except OSError as error:
        raise DataError(f"{text}: cannot be read: {error.strerror or error}") from error


def _walk(folder: str) -> Iterator[InputFile]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror or error}") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            path = Path(parent, name)
            if not _is_hidden(name) and path.is_file():
                size = path.stat().st_size
                yield InputFile(path=path, name=str(path), num_bytes=size, folder=folder)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _spooled(stream: BinaryIO, name: str, spool_folder: Path) -> InputFile:
    path = spool_folder / f"spool-{len(list(spool_folder.iterdir()))}"
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy, length=1 << 20)
    return InputFile(path=path, name=name, num_bytes=path.stat().st_size)
