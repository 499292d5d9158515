"""A prepared folder in a bucket. Each machine fetches it once, and keeps it under a name that
follows from what the bucket says of its files: what has changed there is fetched anew.

`train.npy` is brought there, and fetched, last: what has it is whole.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock

from sweeper.corpus.folder import CorpusFolder
from sweeper.record.buckets.addresses import cache_of, is_address, problem_of
from trainable.config import TrainConfig
from trainable.errors import DataError

if TYPE_CHECKING:
    from sweeper.record.buckets.bucket import Bucket, Object

LARGE = 50_000_000  # bytes, that are worth a word
_chosen: dict[str, Path] = {}  # by address: where this process has its data, to its end


def place_here(stated: str) -> Path:
    """The folder of this machine that `data:` means, whether it is there or not. In a process that
    has fetched an address it is what was fetched; else what this machine fetched last."""
    if not is_address(stated):
        return Path(stated)
    kept = cache_of(stated, "data")
    fetched = _chosen.get(stated) or max(kept.glob("[!.]*/"), key=_fetched_at, default=None)
    return fetched or kept / "none"


def _fetched_at(folder: Path) -> int:
    return folder.stat().st_mtime_ns


def fetch(
    address: str,
    *,
    only: Collection[str] | None = None,
    version: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Path:
    """Have the prepared folder at this address on this machine. Of several processes one fetches
    it, and the others wait. A kill leaves whole files; the next fetches the others.

    Args:
        only: The names of the files that are needed, where not all are.
        version: What the folder was called where it was fetched first.

    Raises:
        DataError: it is not there, or has changed since; the bucket does not answer; the disk here
            is full.
    """
    try:
        return _fetch(address, only, version, tell)
    except FileNotFoundError:
        raise DataError(
            f"{address}: is not there, or is being changed; {how_to_make(address)}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{address}: cannot be fetched ({error.strerror}); the address, and the keys in the "
            f"environment (AWS_…), are those of docs/cluster.md, and the folder of this machine, "
            f"{cache_of(address, 'data')}, needs room"
        ) from None


def _fetch(
    address: str,
    only: Collection[str] | None,
    version: str | None,
    tell: Callable[[str], None],
) -> Path:
    from sweeper.record.buckets.bucket import Bucket  # takes a while, and a folder needs none of it

    bucket = Bucket(address)
    there = {name: of for name, of in bucket.files().items() if _is_of_corpus(name)}
    listed = json.dumps([[name, of.size, of.etag] for name, of in there.items()])
    now = hashlib.sha256(listed.encode()).hexdigest()[:16]
    if version is not None and now != version:
        raise DataError(
            f"data: {address}: has changed since the sweep was started; put it back, or stop the "
            "sweep and start another"
        )
    kept = cache_of(address, "data")
    folder = kept / now
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sorted(there if only is None else there.keys() & only, key=_last)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if (num_bytes := sum(there[name].size for name in missing)) > LARGE:
        tell(f"Fetching {address} ({num_bytes / 1e9:.1f} GB)…")
    if missing:
        with FileLock(kept / f".{now}.lock"):
            for name in missing:
                if not (folder / name).is_file():
                    _download(bucket, name, there[name], folder)
    os.utime(folder)
    _chosen[address] = folder
    return folder


def _download(bucket: "Bucket", name: str, listed: "Object", folder: Path) -> None:
    """
    Raises:
        FileNotFoundError: it is another one meanwhile, or none.
    """
    partly = folder / f".{name}"  # one process at a time is here
    bucket.download(name, partly)
    if bucket.files().get(name) != listed:
        partly.unlink()
        raise FileNotFoundError(name)
    os.replace(partly, folder / name)


def _is_of_corpus(name: str) -> bool:
    return name in CorpusFolder.NAMES or (name.startswith("val-") and name.endswith(".npy"))


def _last(name: str) -> tuple[bool, str]:
    return name == CorpusFolder.NAMES[0], name


def how_to_make(address: str) -> str:
    return f"make one with: python -m sweeper prepare FILES --out {shlex.quote(address)}"


def on_this_machine(config: TrainConfig, address: str | None) -> TrainConfig:
    """The config of a trial with the files of its data where this machine has them.

    Args:
        config: With those of the driver's machine.
        address: Of the data, if they are in a bucket.

    Raises:
        DataError: as `fetch`.
    """
    of_driver = Path(str(config.train_data))
    if address is None or of_driver.is_file():
        return config
    folder = CorpusFolder(fetch(address, version=of_driver.parent.name))
    files: Mapping[str, str] = folder.of_trials
    return replace(config, train_data=files["train_data"], val_data=files["val_data"])


@contextmanager
def appearing_in_bucket(address: str) -> Iterator[tuple[Path, Path]]:
    """Yield a folder whose files are at the address at the end, and a scratch folder.

    Raises:
        DataError: it is no address, or there is something already.
        OSError: the bucket does not answer.
    """
    from sweeper.record.buckets.bucket import Bucket

    if (problem := problem_of(address)) is not None:
        raise DataError(f"--out: {problem}")
    bucket = Bucket(address)
    if any(map(_is_of_corpus, bucket.files())):
        raise DataError(
            f"--out: {address}: has a prepared folder already, and nothing is ever overwritten; "
            "choose another name, or remove it first"
        )
    with TemporaryDirectory(prefix="sweeper-") as work:
        folder, scratch = Path(work) / "out", Path(work) / "scratch"
        folder.mkdir()
        scratch.mkdir()
        yield folder, scratch
        for name in sorted((path.name for path in folder.iterdir()), key=_last):
            bucket.put(name, folder / name)
