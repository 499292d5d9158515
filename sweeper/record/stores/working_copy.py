"""A run of a bucket as a folder on this machine, which everything else reads and writes as any run
folder. The bucket has the word: what differs from it here is a cache, and may be deleted.

Weights are large, so a checkpoint may be here as a stub: its progress, and how large it is.
"""

import errno
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from sweeper.record.buckets.bucket import Bucket, Object
from sweeper.record.state.checkpoints import PROGRESS_FILE, is_checkpoint_name
from sweeper.record.stores.contents import (
    JOURNAL_FILE,
    REQUESTS,
    Copied,
    checkpoint_of,
    is_file_of_run,
    signature_of,
)
from sweeper.record.stores.disk import Disk
from sweeper.record.stores.segments import AT_ONCE, SegmentWriter, read_segments
from sweeper.record.stores.store import STUB
from trainable.atomic_file import new_folder_beside

PULL_LOCK = ".pull.lock"
ASKED_EVERY_SECONDS = 1.0  # whether to go on
LISTED_EVERY_SECONDS = 10.0  # by who follows a sweep; the journal is looked at each time


class WorkingCopy:
    def __init__(self, path: Path, bucket: Bucket) -> None:
        self.path = path
        self.bucket = bucket
        self.writer: SegmentWriter | None = None  # of the driver here
        self.is_fenced = False  # another driver has gone on: what is written here counts no more
        self._written: tuple[int, int] | None = None  # segments and bytes, by the driver here
        self._asked: set[str] = set()
        self._list_at = 0.0

    def pull(self, *, all_files: bool = True, as_driver: bool = False) -> None:
        """Bring what the bucket has and this folder has not.

        Args:
            all_files: Not the journal alone.
            as_driver: Checkpoints of which the bucket has nothing are half a kill's, and go.

        Raises:
            OSError: the bucket does not answer.
        """
        if not self.path.exists() and not self.bucket.objects():
            return
        self.path.mkdir(exist_ok=True)
        with FileLock(self.path / PULL_LOCK):
            if not as_driver and Disk(self.path).is_held:  # it has begun meanwhile
                return
            copied = self.copied()
            if all_files or time.monotonic() >= self._list_at:
                listing = self.bucket.objects()
                self._pull_files(listing, copied)
                self._see_checkpoints(listing, as_driver=as_driver)
                self._list_at = time.monotonic() + LISTED_EVERY_SECONDS
            self._pull_journal(copied)
            copied.write(self.path)
            self._written = None  # that and more is noted

    def copied(self) -> Copied:
        copied = Copied.read(self.path)
        if self._written is not None:
            copied.segments, copied.journal_bytes = self._written
        return copied

    def written(self, segments: int, journal_bytes: int) -> None:
        """The driver here has brought the journal this far, there and here. It is noted with the
        next push: what a kill keeps from that is read once more."""
        self._written = segments, journal_bytes

    def _pull_journal(self, copied: Copied) -> None:
        journal = self.path / JOURNAL_FILE
        here = journal.stat().st_size if journal.exists() else 0
        if here < copied.journal_bytes:  # somebody has cut it
            copied.segments = copied.journal_bytes = 0
        segments = read_segments(self.bucket, copied.segments)
        if here == copied.journal_bytes and not segments:
            return
        with journal.open("ab") as file:
            file.truncate(copied.journal_bytes)
            file.writelines(lines for lines, _ in segments)
            copied.journal_bytes = file.tell()
        if segments:  # the sweep that was at work last is the newest
            os.utime(journal, times=(segments[-1][1].timestamp(),) * 2)
        copied.segments += len(segments)

    def _pull_files(self, listing: Mapping[str, Object], copied: Copied) -> None:
        there = {name: o for name, o in listing.items() if is_file_of_run(name)}
        new = [
            name
            for name, of in there.items()
            if copied.etags.get(name) != of.etag or not (self.path / name).exists()
        ]
        _at_once(self._download_if_there, new)
        for name in copied.etags.keys() - there.keys():
            (self.path / name).unlink(missing_ok=True)
        copied.etags = {name: of.etag for name, of in there.items()}
        is_as_noted = copied.signatures.keys() & there.keys() - set(new)
        copied.signatures = {name: copied.signatures[name] for name in is_as_noted} | {
            name: signature_of(path) for name in new if (path := self.path / name).exists()
        }

    def _download_if_there(self, name: str) -> None:
        with suppress(FileNotFoundError):  # deleted since it was listed
            self._download(name)

    def _download(self, name: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.pulled")
        try:
            self.bucket.download(name, temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _see_checkpoints(self, listing: Mapping[str, Object], *, as_driver: bool) -> None:
        sizes: dict[str, int] = defaultdict(int)
        for name, of in listing.items():
            if (folder := checkpoint_of(name)) is not None:
                sizes[folder] += of.size
        whole = {folder for folder in sizes if f"{folder}/{PROGRESS_FILE}" in listing}
        here = {
            str(path.relative_to(self.path))
            for path in self.path.glob("trials/*/checkpoint_*")
            if is_checkpoint_name(path.name)
        }
        for folder in here - whole:
            if as_driver or (self.path / folder / STUB).exists():
                shutil.rmtree(self.path / folder, ignore_errors=True)
        _at_once(lambda folder: self._make_stub(folder, sizes[folder]), whole - here)

    def _make_stub(self, folder: str, num_bytes: int) -> None:
        path = self.path / folder
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = new_folder_beside(path)
        try:
            self.bucket.download(f"{folder}/{PROGRESS_FILE}", staging / PROGRESS_FILE)
            (staging / STUB).write_text(str(num_bytes), encoding="utf-8")
            os.rename(staging, path)
        except FileNotFoundError:  # deleted since it was listed
            pass
        except OSError:
            if not path.exists():  # or else another process has made it
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def see(self, folders: Path) -> None:
        """Have the checkpoints in the bucket that are under this path here, at least as stubs."""
        if is_checkpoint_name(folders.name) and (folders / PROGRESS_FILE).exists():
            return  # the trial ran here
        listing = self.bucket.objects(self._name(folders))
        there = {f for name in listing if (f := checkpoint_of(name)) is not None}
        missing = {folder for folder in there if not (self.path / folder).exists()}
        self._see_only(listing, missing)

    def _see_only(self, listing: Mapping[str, Object], folders: Iterable[str]) -> None:
        for folder in folders:
            files = {n: of for n, of in listing.items() if n.startswith(f"{folder}/")}
            if f"{folder}/{PROGRESS_FILE}" in files:
                self._make_stub(folder, sum(of.size for of in files.values()))

    def fetch(self, folder: Path) -> None:
        """Have all of a checkpoint here. It is a stub until it is whole, and never away: others on
        this machine look at it too.

        Raises:
            FileNotFoundError: it has been deleted.
            OSError: the bucket does not answer.
        """
        if folder.is_dir() and not (folder / STUB).exists():
            return
        name = self._name(folder)
        files = self.bucket.objects(name)
        if f"{name}/{PROGRESS_FILE}" not in files:
            raise FileNotFoundError(errno.ENOENT, "it has been deleted", str(folder))
        if not folder.exists():
            self._make_stub(name, sum(of.size for of in files.values()))
        for file in files:
            if not (self.path / file).exists():
                self._download(file)
        (folder / STUB).unlink(missing_ok=True)

    def put(self, path: Path) -> None:
        """The bucket has this file, or this folder, when this returns. What says that a checkpoint
        is whole comes last."""
        if not path.exists():
            self.bucket.delete([self._name(path)])
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        for file in sorted(files, key=lambda file: file.name == PROGRESS_FILE):
            self.bucket.put(self._name(file), file)

    def create(self, path: Path, content: bytes) -> bool:
        """Have this file in the bucket, and so here. False: there is one, and that is here now.
        A retry may meet its own first try; then what is there is what was to be."""
        name = self._name(path)
        created = self.bucket.create(name, content) or self.bucket.get(name) == content
        self._download(name)
        return created

    def get(self, path: Path) -> None:
        self._download(self._name(path))

    def copy(self, source: Path, target: Path) -> None:
        """Have in the bucket the copy of a checkpoint that has been made here."""
        before, after = self._name(source), self._name(target)
        for name in self.bucket.objects(before):
            if name != f"{before}/{PROGRESS_FILE}":
                self.bucket.copy(name, f"{after}{name.removeprefix(before)}")
        self.bucket.put(f"{after}/{PROGRESS_FILE}", target / PROGRESS_FILE)

    def hide(self, folder: Path) -> None:
        self.bucket.delete([f"{self._name(folder)}/{PROGRESS_FILE}"])

    def delete(self, folder: Path) -> None:
        self.hide(folder)  # first: nobody finds half of it
        self.bucket.delete(self.bucket.objects(self._name(folder)))

    def push(self, goes_on: Callable[[], bool]) -> None:
        """Bring to the bucket what has changed in the files since the last time.

        Args:
            goes_on: Is asked all the while: it may take long.
        """
        if not goes_on():
            return
        before, pushed = self.copied().signatures, Copied()
        gone = [name for name in before if not (self.path / name).exists()]
        if not (self.path / JOURNAL_FILE).exists():  # it is the folder that is gone
            gone = []
        self.bucket.delete(gone)

        def bring(name: str) -> None:
            with suppress(FileNotFoundError):  # deleted since
                signature = signature_of(self.path / name)
                if before.get(name) != signature:
                    pushed.etags[name] = self.bucket.put(name, self.path / name)
                    pushed.signatures[name] = signature

        try:
            with ThreadPoolExecutor(AT_ONCE) as workers:
                left = {workers.submit(bring, name) for name in self._files()}
                try:
                    while left:
                        done, left = wait(left, timeout=ASKED_EVERY_SECONDS)
                        for each in done:
                            each.result()
                        if not goes_on():
                            return
                finally:
                    workers.shutdown(wait=False, cancel_futures=True)
        finally:
            if pushed.etags or gone:
                self._note_pushed(pushed, gone)

    def _note_pushed(self, pushed: Copied, gone: Iterable[str]) -> None:
        copied = self.copied()
        copied.etags |= pushed.etags
        copied.signatures |= pushed.signatures
        for name in gone:
            copied.etags.pop(name, None)
            copied.signatures.pop(name, None)
        copied.write(self.path)

    def take_requests(self) -> None:
        """Bring here what others ask of the driver, each once. It has deleted what is done."""
        for name in self.bucket.objects(REQUESTS):
            if name not in self._asked:
                self._download_if_there(name)
                self._asked.add(name)
            elif not (self.path / name).exists():
                self.bucket.delete([name])
                self._asked.discard(name)

    def _files(self) -> Iterator[str]:
        for pattern in ("*", "plots/*", "attempts/*", "trials/*/*"):
            for path in self.path.glob(pattern):
                name = self._name(path)
                if path.is_file() and is_file_of_run(name) and not path.name.startswith("."):
                    yield name

    def _name(self, path: Path) -> str:
        return path.resolve().relative_to(self.path.resolve()).as_posix()


def _at_once(work: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as workers:
        list(workers.map(work, names))
