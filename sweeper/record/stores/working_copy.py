"""A run of a bucket as a folder on this machine, which everything else reads and writes as any run
folder. The bucket has the word: what differs from it here is a cache, and may be deleted.

Weights are large, so a checkpoint may be here as a stub: its progress, and how large it is.
"""

import json
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from sweeper.record.state.checkpoints import PROGRESS_FILE, is_checkpoint_name
from sweeper.record.stores.bucket import Bucket, Object
from sweeper.record.stores.presence import PRESENCE
from sweeper.record.stores.segments import JOURNAL, READERS, read_segments
from trainable.atomic_file import new_folder_beside

COPIED = ".copy.json"  # how much of the bucket is here
PULL_LOCK = ".pull.lock"
STUB = ".in_bucket"  # in a checkpoint of which the bucket has the rest; how many bytes that is
JOURNAL_FILE = "journal.jsonl"
LISTED_EVERY_SECONDS = 10.0  # by who follows a sweep; the journal is looked at each time
REQUESTS = ".requests"  # what others ask of the driver
KEPT_HERE = {JOURNAL_FILE, "optuna.db"}  # the journal has its segments, and mirrors are made anew

Signature = tuple[int, int]
_noting = threading.Lock()  # the journal and the rest are brought to the bucket by two threads


@dataclass
class Copied:
    """What of the bucket is in the working copy."""

    segments: int = 0
    journal_bytes: int = 0  # with these segments
    etags: dict[str, str | None] = field(default_factory=dict)


class WorkingCopy:
    def __init__(self, path: Path, bucket: Bucket) -> None:
        self.path = path
        self.bucket = bucket
        self._pushed: dict[str, Signature] = {}
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
            copied = self.copied()
            if all_files or time.monotonic() >= self._list_at:
                listing = self.bucket.objects()
                self._pull_files(listing, copied)
                self._see_checkpoints(listing, as_driver=as_driver)
                self._list_at = time.monotonic() + LISTED_EVERY_SECONDS
            self._pull_journal(copied)
            self._note(copied)
        if as_driver:
            self._pushed = {n: s for n, s in self._files() if n in copied.etags}

    def copied(self) -> Copied:
        try:
            return Copied(**json.loads((self.path / COPIED).read_text()))
        except (OSError, ValueError, TypeError):
            return Copied()

    def written(self, segments: int, journal_bytes: int) -> None:
        """The driver here has brought the journal this far, there and here."""
        with _noting:
            copied = self.copied()
            copied.segments, copied.journal_bytes = segments, journal_bytes
            self._note(copied)

    def _note(self, copied: Copied) -> None:
        temporary = self.path / f"{COPIED}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(asdict(copied)))
        os.replace(temporary, self.path / COPIED)

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
        there = {name: o for name, o in listing.items() if _is_file_of_run(name)}
        new = [
            name
            for name, of in there.items()
            if copied.etags.get(name) != of.etag or not (self.path / name).exists()
        ]
        _at_once(self._download, new)
        for name in copied.etags.keys() - there.keys():
            (self.path / name).unlink(missing_ok=True)
        copied.etags = {name: of.etag for name, of in there.items()}

    def _download(self, name: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.pulled")
        with suppress(FileNotFoundError):  # deleted since it was listed
            self.bucket.download(name, temporary)
            os.replace(temporary, path)

    def _see_checkpoints(self, listing: Mapping[str, Object], *, as_driver: bool) -> None:
        sizes: dict[str, int] = defaultdict(int)
        for name, of in listing.items():
            if (folder := _checkpoint_of(name)) is not None:
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
            (staging / STUB).write_text(str(num_bytes))
            os.rename(staging, path)
        except FileNotFoundError:  # deleted since it was listed
            shutil.rmtree(staging)

    def see(self, folders: Path) -> None:
        """Have the checkpoints in the bucket that are under this path here, at least as stubs."""
        listing = self.bucket.objects(self._name(folders))
        there = {f for name in listing if (f := _checkpoint_of(name)) is not None}
        missing = {folder for folder in there if not (self.path / folder).exists()}
        self._see_only(listing, missing)

    def _see_only(self, listing: Mapping[str, Object], folders: Iterable[str]) -> None:
        for folder in folders:
            files = {n: of for n, of in listing.items() if n.startswith(f"{folder}/")}
            if f"{folder}/{PROGRESS_FILE}" in files:
                self._make_stub(folder, sum(of.size for of in files.values()))

    def fetch(self, folder: Path) -> None:
        """Have all of a checkpoint here.

        Raises:
            OSError: the bucket does not answer.
        """
        if folder.is_dir() and not (folder / STUB).exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging, name = new_folder_beside(folder), self._name(folder)
        for file in self.bucket.objects(name):
            path = staging / file.removeprefix(f"{name}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.bucket.download(file, path)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(staging, folder)

    def put(self, path: Path) -> None:
        """The bucket has this file, or this folder, when this returns. What says that a checkpoint
        is whole comes last."""
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        for file in sorted(files, key=lambda file: file.name == PROGRESS_FILE):
            self.bucket.put(self._name(file), file)

    def copy(self, source: Path, target: Path) -> None:
        """Have in the bucket the copy of a checkpoint that has been made here."""
        before, after = self._name(source), self._name(target)
        for name in self.bucket.objects(before):
            if name != f"{before}/{PROGRESS_FILE}":
                self.bucket.copy(name, f"{after}{name.removeprefix(before)}")
        self.bucket.put(f"{after}/{PROGRESS_FILE}", target / PROGRESS_FILE)

    def delete(self, folder: Path) -> None:
        name = self._name(folder)
        whole = f"{name}/{PROGRESS_FILE}"  # goes first: nobody finds half of it
        self.bucket.delete([whole, *(n for n in self.bucket.objects(name) if n != whole)])

    def push(self) -> None:
        """Bring to the bucket the files that have changed since the last time."""
        etags = {}
        for name, signature in list(self._files()):
            if self._pushed.get(name) != signature:
                try:
                    etags[name] = self.bucket.put(name, self.path / name)
                except FileNotFoundError:  # deleted since
                    continue
                self._pushed[name] = signature
        if etags:
            with _noting:
                copied = self.copied()
                copied.etags |= etags
                self._note(copied)

    def take_requests(self) -> None:
        """Bring here what others ask of the driver, each once. It has deleted what is done."""
        for name in self.bucket.objects(REQUESTS):
            if name not in self._asked:
                self._asked.add(name)
                self._download(name)
            elif not (self.path / name).exists():
                self.bucket.delete([name])
                self._asked.discard(name)

    def _files(self) -> Iterator[tuple[str, Signature]]:
        for pattern in ("*", "plots/*", "trials/*/*"):
            for path in self.path.glob(pattern):
                name = self._name(path)
                if path.is_file() and _is_file_of_run(name) and not path.name.startswith("."):
                    status = path.stat()
                    yield name, (status.st_size, status.st_mtime_ns)

    def _name(self, path: Path) -> str:
        return path.resolve().relative_to(self.path.resolve()).as_posix()


def folder_bytes(folder: Path) -> int:
    """Of a checkpoint, wherever the most of it is."""
    if (stub := folder / STUB).exists():
        return int(stub.read_text())
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _is_file_of_run(name: str) -> bool:
    first = name.partition("/")[0]
    is_other = first in {JOURNAL, PRESENCE, REQUESTS, *KEPT_HERE}
    return not is_other and _checkpoint_of(name) is None


def _checkpoint_of(name: str) -> str | None:
    """The checkpoint folder that an object is in."""
    parts = name.split("/")
    is_in_one = len(parts) > 3 and parts[0] == "trials" and is_checkpoint_name(parts[2])
    return "/".join(parts[:3]) if is_in_one else None


def _at_once(work: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(READERS) as workers:
        list(workers.map(work, names))
