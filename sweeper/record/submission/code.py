"""The code of a training program that is not ours, in the folder of a submitted sweep: from there,
and from nowhere else, each machine takes it that runs a trial."""

import hashlib
import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from sweeper.record.run_folder import RunFolder
from trainable.atomic_file import new_folder_beside, write_atomically

NAME = re.compile(r"code-[0-9a-f]{16}")
SAME_TIME = (2000, 1, 1, 0, 0, 0)  # the same files make the same archive


def packed(folder: Path, files: Iterable[Path]) -> bytes:
    """These files under `folder` as an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), SAME_TIME)
            entry.external_attr = path.stat().st_mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, path.read_bytes())
    return archive.getvalue()


def name_of(archive: bytes) -> str:
    """Of the folder that it becomes: of other files, another."""
    return f"code-{hashlib.sha256(archive).hexdigest()[:16]}"


def put_code(folder: RunFolder, archive: bytes) -> None:
    """
    Raises:
        OSError: it cannot be brought there.
    """
    path = _archive(folder, name_of(archive))
    write_atomically(path, lambda file: file.write(archive))
    folder.store.put(path)


def code_here(folder: RunFolder, stated: str) -> Path | None:
    """Where this machine has the code of a sweep, fetched if need be. None: that was not submitted
    with the sweep, but lies where it is said to lie.

    Args:
        stated: The trainer's `folder`.

    Raises:
        OSError: it cannot be fetched.
    """
    name = Path(stated).name
    if NAME.fullmatch(name) is None:
        return None
    here = folder.path.resolve() / name
    if not here.is_dir():
        folder.store.get(_archive(folder, name))
        _unpack(_archive(folder, name), here)
    return here


def _archive(folder: RunFolder, name: str) -> Path:
    return folder.path / f"{name}.zip"


def _unpack(archive: Path, here: Path) -> None:
    staging = new_folder_beside(here)
    try:
        with zipfile.ZipFile(archive) as made:
            for entry in made.infolist():
                Path(made.extract(entry, staging)).chmod(entry.external_attr >> 16)
        os.rename(staging, here)
    except OSError:
        if not here.is_dir():  # or else another process has done it
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
