"""A run folder on a disk, which is all there is of it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sweeper.record.stores.store import InUse, Log

LOCK = ".lock"
ASKING_SECONDS = 0.5  # whoever asks whether a folder is locked holds its lock for an instant


class Disk:
    """`Store` of it. The kernel drops its lock with the process."""

    address = None
    batches = False

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        lock = self._lock()
        try:
            lock.acquire(timeout=ASKING_SECONDS, poll_interval=0.02)
        except Timeout:
            raise InUse from None
        try:
            yield
        finally:
            lock.release()

    def _lock(self) -> FileLock:
        return FileLock(self.path / LOCK)

    @property
    def is_held(self) -> bool:
        if not (self.path / LOCK).exists():  # to ask for a lock would make it, and the folder
            return False
        try:
            with self._lock().acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a read-only copy has no driver
            return False

    def is_silent(self) -> bool:
        return not self.is_held

    def claim(self, spec: Path) -> bool:
        return True  # moving the folder into place does it

    def log(self) -> Log:
        return self

    def pull(self) -> None: ...

    def commit(self, lines: bytes) -> None: ...

    def written(self, num_bytes: int) -> None: ...

    def see(self, folders: Path) -> None: ...

    def fetch(self, folder: Path) -> None: ...

    def put(self, path: Path) -> None: ...

    def create(self, path: Path, content: bytes) -> bool:
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(content)
            os.link(temporary, path)  # whole, and refused where there is one
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def get(self, path: Path) -> None: ...

    def copy(self, source: Path, target: Path) -> None: ...

    def hide(self, folder: Path) -> None: ...

    def delete(self, folder: Path) -> None: ...

    def leave_older(self, newest: Path) -> None: ...
