"""A folder that appears complete under its name, or not at all."""

import glob
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from sweeper.corpus.reading.names import printable
from trainable.atomic_file import flush
from trainable.errors import DataError


class OutputExistsError(DataError):
    """The name of the output is taken."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            f"--out: {printable(str(out))}: exists already, and nothing is ever overwritten; "
            "choose another name, or remove it first"
        )


def refuse_existing(out: Path) -> None:
    """Raises:
    OutputExistsError: `out` exists and is not an empty folder.
    DataError: it is one that no other can take the place of.
    """
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise OutputExistsError(out)
    if os.path.ismount(out):
        raise DataError(
            f"--out: {printable(str(out))}: a disk is mounted there; name a folder in it, as "
            f"{printable(str(out / 'data'))}"
        )


@contextmanager
def appearing(out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a folder that is renamed to `out` at the end, and a scratch folder that is deleted
    then.

    Both lie beside `out`, in a hidden folder, so that the rename stays on one disk. On any error,
    everything made here is removed again, new parent folders included. What a killed run left is
    removed by the next one.

    Raises:
        OutputExistsError: another process made `out` in the meantime.
    """
    out = Path(os.path.abspath(out))  # `.` has no name that one beside it could be called after
    new_parents = [parent for parent in out.parents if not parent.exists()]
    _remove_abandoned(out)
    work = out.parent / f"{_work_prefix(out)}{uuid4().hex[:8]}-{os.getpid()}"
    folder, scratch = work / "out", work / "scratch"
    try:
        for each in (folder, scratch):
            each.mkdir(parents=True)
        yield folder, scratch
        for written in (*folder.iterdir(), folder):
            flush(written)
        try:
            folder.rename(out)
        except OSError as error:
            if out.exists():
                raise OutputExistsError(out) from error
            raise
        flush(out.parent)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(work, ignore_errors=True)
        for parent in new_parents:  # the innermost first; one that is in use by now stays
            with suppress(OSError):
                parent.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)


def _work_prefix(out: Path) -> str:
    return f".{out.name}.partial-{socket.gethostname()}-"


def _remove_abandoned(out: Path) -> None:
    """Remove what killed runs on this machine have left behind."""
    for work in out.parent.glob(f"{glob.escape(_work_prefix(out))}*-*"):
        process = work.name.rpartition("-")[2]
        if not re.fullmatch(r"[0-9]{1,9}", process):
            continue  # none of ours
        try:
            os.kill(int(process), 0)  # signal 0 only asks whether it is there
        except ProcessLookupError:
            shutil.rmtree(work, ignore_errors=True)
        except PermissionError:
            pass  # it is, as another user
