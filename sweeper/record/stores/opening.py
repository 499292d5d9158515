"""Which store a run folder is kept in."""

from pathlib import Path

from sweeper.record.stores.disk import Disk
from sweeper.record.stores.places import address_of
from sweeper.record.stores.store import Store


def store_of(path: Path) -> Store:
    """The store of the run folder at this path."""
    if (address := address_of(path.parent)) is None:
        return Disk(path)
    from sweeper.record.stores.in_bucket import InBucket  # a disk needs none of it

    return InBucket(path, f"{address}/{path.resolve().name}")
