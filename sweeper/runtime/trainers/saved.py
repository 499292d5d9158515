"""The checkpoints of a training program: where it writes them, whether they are whole, and how they
are kept in a folder of ours and put back."""

import errno
import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sweeper.typed_json import read_json
from trainable.atomic_file import new_folder_beside, write_atomically
from trainable.errors import CheckpointError

FICLONE = 0x40049409  # the request by which a file comes to share another's blocks (Linux)
PROGRAM_FILES = "program"  # the folder with a program's own files, beside our word of them
FRUITLESS_STARTS = 2  # after which a checkpoint that the program does not go on from is damaged
_FRUITLESS = "fruitless"  # beside a checkpoint; a byte for each start that came to nothing


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A checkpoint in a folder of ours: a file of JSON, and beside it the program's files.

    `path` is where the program had them; None where there was nothing to keep: the program had come
    to its end, or has to begin anew.
    """

    step: int
    path: str | None
    sizes: dict[str, int]

    @classmethod
    def read(cls, file: Path) -> "Kept":
        """
        Raises:
            CheckpointError: it is damaged, or a file of the program's is.
        """
        try:
            kept = read_json(cls, file.read_bytes())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{file}: damaged ({error})") from None
        if (there := sizes(file.parent / PROGRAM_FILES)) != kept.sizes:
            wrong = sorted(there.items() ^ kept.sizes.items())[0][0]
            raise CheckpointError(f"{file}: damaged: {PROGRAM_FILES}/{wrong} is not as it was kept")
        return kept

    def write(self, file: Path) -> None:
        text = json.dumps({"step": self.step, "path": self.path, "sizes": self.sizes})
        write_atomically(file, lambda opened: opened.write(text.encode()))


def restored(file: Path) -> Kept:
    """
    Raises:
        CheckpointError: it is damaged, or the program has not gone on from it.
    """
    kept = Kept.read(file)
    fruitless = file.parent / _FRUITLESS
    if fruitless.exists() and fruitless.stat().st_size >= FRUITLESS_STARTS:
        raise CheckpointError(f"{file}: the program does not go on from it")
    return kept


def note_fruitless_start(file: Path) -> None:
    """The program has ended, before it said anything, as it was to go on from there. The note is
    written anew: another trial's checkpoint may share the file."""
    note = file.parent / _FRUITLESS
    starts = note.read_bytes() if note.exists() else b""
    write_atomically(note, lambda opened: opened.write(starts + b"."))


def sizes(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def keep(file: Path, step: int, there: Path | None) -> Kept:
    """Keep the program's checkpoint, as it is now, beside this file of ours."""
    files = file.parent / PROGRAM_FILES
    if files.exists():
        shutil.rmtree(files)
    if there is not None:
        files.mkdir()
        copy(there, files / there.name)
    kept = Kept(step=step, path=None if there is None else str(there), sizes=sizes(files))
    kept.write(file)
    return kept


def keep_again(file: Path, earlier: Path) -> Kept:
    """Keep once more what was kept in an earlier file. Both stay as they are, so links do."""
    kept, there = Kept.read(earlier), file.parent / PROGRAM_FILES
    if there.exists():  # what was copied, and not seen to be whole
        shutil.rmtree(there)
    if (files := earlier.parent / PROGRAM_FILES).is_dir():
        shutil.copytree(files, there, copy_function=_link)
    kept.write(file)
    return kept


def put_back(file: Path, there: Path) -> None:
    """Put the program's files where it looks for them, in place of what is there."""
    (source,) = (file.parent / PROGRAM_FILES).iterdir()
    there.parent.mkdir(parents=True, exist_ok=True)
    new = new_folder_beside(there)
    copy(source, new / there.name)
    remove(there)
    os.rename(new / there.name, there)
    new.rmdir()


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """A copy that shares its blocks where the file system can. Never a link: a program may write
    into the file that it has."""
    if not source.is_dir():
        _clone(str(source), str(target))
        return
    target.mkdir()
    for entry in source.iterdir():
        copy(entry, target / entry.name)


def _clone(source: str, target: str) -> None:
    with open(source, "rb") as reads, open(target, "wb") as writes:
        try:
            fcntl.ioctl(writes.fileno(), FICLONE, reads.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            shutil.copyfileobj(reads, writes, 1 << 20)
        writes.flush()
        os.fsync(writes.fileno())


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        _clone(source, target)
