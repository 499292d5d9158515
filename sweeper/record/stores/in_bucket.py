"""A run folder in a bucket: this machine's working copy, and what brings it there and back."""

import errno
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweeper.errors import RunFolderError, StorageError
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.state.checkpoints import checkpoint_folders
from sweeper.record.stores.disk import Disk
from sweeper.record.stores.presence import (
    PRESENCE,
    SAID_EVERY_SECONDS,
    Driver,
    Ear,
    driver_of,
)
from sweeper.record.stores.segments import JOURNAL, Fenced, SegmentWriter, segment_name
from sweeper.record.stores.store import InUse, Log
from sweeper.record.stores.working_copy import WorkingCopy

PULLED_EVERY_SECONDS = 2.0  # at most, however often one asks


class InBucket:
    """`Store` of a run in a bucket."""

    def __init__(self, path: Path, address: str) -> None:
        self.address = address
        self.bucket = Bucket(address)
        self.working = WorkingCopy(path, self.bucket)
        self.disk = Disk(path)
        self._pull_at = 0.0
        self._driver: tuple[Driver, float] | None = None
        self._ear = Ear(self.bucket, path)
        self.see, self.fetch = self.working.see, self.working.fetch
        self.put, self.copy = self.working.put, self.working.copy
        self.hide, self.delete = self.working.hide, self.working.delete
        self.create, self.get = self.working.create, self.working.get

    def claim(self, spec: Path) -> bool:
        claimed = self.bucket.create(spec.name, spec.read_bytes())
        if claimed:  # what is here is of a sweep that the bucket has no more
            shutil.rmtree(self.working.path, ignore_errors=True)
        return claimed

    @contextmanager
    def held(self) -> Iterator[None]:
        self.working.path.mkdir(parents=True, exist_ok=True)
        with self.disk.held():
            there = driver_of(self.bucket)
            if there is not None and not there[0].is_of(self.working.path):
                driver, left = there
                raise InUse(
                    f" (process {driver.pid} on {driver.host}; if that machine is gone, try again "
                    f"in {left:.0f} s)",
                    left,
                )
            self.working.pull(as_driver=True)
            self.working.is_fenced = False
            publisher = Publisher(self.working)
            publisher.start()
            try:
                yield
            except BaseException:
                with suppress(OSError):  # what went wrong first is told
                    publisher.finish()
                raise
            try:
                publisher.finish()
            except OSError as error:
                raise StorageError(
                    f"{self.address}: the last tables could not be brought there "
                    f"({error.strerror}); they are in {self.working.path}, and follow with the "
                    f"next resume"
                ) from None

    @property
    def is_held(self) -> bool:
        self.pull(all_files=False)
        return self.disk.is_held or self._driver is not None

    def is_silent(self) -> bool:
        return not self.disk.is_held and self._ear.is_silent()

    def pull(self, *, all_files: bool = True) -> None:
        now = time.monotonic()
        if now < self._pull_at or self.disk.is_held:  # the driver here is ahead of the bucket
            return
        driver = driver_of(self.bucket)  # asked first: what it then says last is pulled
        is_of_here = driver is not None and driver[0].is_of(self.working.path)
        self._driver = None if is_of_here else driver  # here its lock would say that it lives
        self.working.pull(all_files=all_files)
        self._pull_at = time.monotonic() + PULLED_EVERY_SECONDS

    def leave_older(self, newest: Path) -> None:
        if self.disk.is_held:
            return
        for folder in checkpoint_folders(newest.parent):
            if folder.name != newest.name:
                shutil.rmtree(folder, ignore_errors=True)

    def log(self) -> Log:
        return SegmentLog(self.working)


def pull_all(
    runs: Path,
    address: str,
    known: Collection[str] = (),
    unread: Callable[[str, RunFolderError], None] | None = None,
) -> None:
    """Have here what the bucket has, and no other sweep.

    Args:
        known: Names of sweeps that are left as they are here.
        unread: Is told of a sweep that cannot be read, in place of an error.

    Raises:
        OSError: the bucket does not answer.
    """
    names = Bucket(address).folders()
    for name in set(names) - set(known):
        try:
            InBucket(runs / name, f"{address}/{name}").pull()
        except OSError as error:
            if unread is None:
                raise
            unread(name, RunFolderError(f"cannot be read ({error.strerror or error})"))
    for folder in runs.glob("[!.]*/"):  # a sweep that is being made is hidden
        if folder.name not in names and not Disk(folder).is_held:
            shutil.rmtree(folder, ignore_errors=True)


class SegmentLog:
    """The journal of a driver, as segments."""

    batches = True

    def __init__(self, working: WorkingCopy) -> None:
        self.working = working
        self.writer = SegmentWriter(working.bucket, working.copied().segments)
        working.writer = self.writer

    def commit(self, lines: bytes) -> None:
        try:
            self.writer.commit(lines)
        except Fenced as error:
            self.working.is_fenced = True
            raise OSError(errno.ESTALE, f"{error} has gone on with the sweep") from None

    def written(self, num_bytes: int) -> None:
        self.working.written(self.writer.number, num_bytes)


class Publisher(threading.Thread):
    """Says again and again that the driver is at work, and brings what it writes beside the journal
    to the bucket. A bucket that fails for a while is told by the journal."""

    def __init__(self, working: WorkingCopy) -> None:
        super().__init__(daemon=True)
        self.working = working
        self.driver = Driver.here(working.path)
        self._ended = threading.Event()
        self._say()

    def run(self) -> None:
        while not self._ended.wait(SAID_EVERY_SECONDS):
            with suppress(OSError):
                if self._is_at_work():
                    self.working.push(self._is_at_work)
                    self.working.take_requests()

    def _say(self) -> None:
        self._say_at = time.monotonic() + SAID_EVERY_SECONDS
        self.driver.say(self.working.bucket)

    def _is_at_work(self) -> bool:
        """Asked again and again while much is pushed, lest this driver be taken for a lost one."""
        if time.monotonic() < self._say_at:
            return True
        if is_ours := self._is_ours():
            self._say()
        return is_ours

    def finish(self) -> None:
        """
        Raises:
            OSError: the last changes cannot be brought there.
        """
        self._ended.set()
        self.join()
        if self._is_ours():
            self.working.push(self._is_at_work)
            if self._is_ours():
                self.working.bucket.delete([PRESENCE])

    def _is_ours(self) -> bool:
        """False: another driver has gone on with the sweep, and may have ended since."""
        bucket, known = self.working.bucket, self.working.copied().segments
        there = driver_of(bucket)
        if self.working.is_fenced or (there is not None and there[0] != self.driver):
            return False
        newest = max(bucket.objects(JOURNAL, segment_name(known)), default="")
        if newest <= segment_name(self.working.copied().segments):  # this driver writes on
            return True
        writer = self.working.writer  # it may be there before that is known here
        return writer is not None and writer.has_written(bucket.get(newest))
