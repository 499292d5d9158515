"""Files that are whole or absent: a reader, a crash or a full disk never sees half of one. Their
modes, and those of folders, follow the umask."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, flush it to the disk, move it.

    Raises:
        OSError: the folder cannot be written or the disk is full; what stood at `path` still does.
    """

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:
            write(file)

    put_atomically(path, fill)


def put_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """`write_atomically` for what writes to a path of its own accord, and may make the file anew
    with a mode of its own choice.

    Raises:
        OSError: as there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush(path.parent)  # the new name must survive a power cut too, and it lives in the folder


def new_folder_beside(path: Path) -> Path:
    """A new folder with a hidden name, to be filled and then renamed to `path`. One of `tempfile`
    would be for its owner alone."""
    folder = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    folder.mkdir()
    return folder


def flush(path: Path) -> None:
    """Bring a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
