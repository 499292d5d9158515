"""A driver that is killed, or a bucket that goes away, at any operation on the bucket: the journal
is a beginning of the whole one, and another machine goes on to the same decisions."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import StorageError
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.stores.places import runs_folder
from tests.sweeper.engine.sweeps import decisions
from tests.sweeper.in_process import Killed, drive
from tests.sweeper.record.stores.conftest import SWEEPS, go_to

OPERATIONS = ("_create", "put", "copy", "delete", "download", "objects", "read")


class Fault:
    """From the `at`-th operation on, each ends so: the process is gone, or the bucket is."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, ends: Callable[[], BaseException]):
        self.count = 0
        self.over = False
        for name in OPERATIONS:
            patch.setattr(Bucket, name, self._counted(getattr(Bucket, name), at, ends))

    def _counted(self, work: Any, at: int, ends: Callable[[], BaseException]) -> Any:
        lock = threading.Lock()

        def counted(*arguments: Any, **options: Any) -> Any:
            with lock:
                self.count += 1
                self.over = self.over or self.count == at
            if self.over:
                raise ends()
            return work(*arguments, **options)

        return counted


def cut() -> OSError:
    return OSError("no answer")


@pytest.mark.parametrize("kind", SWEEPS)
def test_after_any_fault_another_machine_goes_on_to_the_same_decisions(
    kind: str,
    tiny_plan: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    """At places drawn by a seed; `--kills` says how many in all."""
    plan = tiny_plan(**SWEEPS[kind])
    address = f"file://{tmp_path}/bucket"
    monkeypatch.setattr(Bucket, "patience_seconds", 0.0)
    whole = create_run_folder(runs_folder(address), plan.spec, "whole", "space.yaml")
    with monkeypatch.context() as patch:
        fault = Fault(patch, -1, Killed)
        drive(whole, plan)
    rng = random.Random(kind)
    for number in range(pytestconfig.getoption("--kills") // len(SWEEPS)):
        go_to("one", tmp_path, monkeypatch)
        folder = create_run_folder(runs_folder(address), plan.spec, f"run{number}", "space.yaml")
        at, ends = rng.randint(1, fault.count), rng.choice((Killed, cut))
        with monkeypatch.context() as patch:
            Fault(patch, at, ends)
            with suppress(Killed, OSError, StorageError):
                drive(folder, plan)
        left = journal_of(folder)
        go_to("another", tmp_path, monkeypatch)
        # one that was stopped before its first word has no journal yet, and begins
        found = RunFolder(runs_folder(address) / folder.name)
        found.store.pull()
        with found.locked():
            drive(found, plan)
        assert found.journal.read_bytes().startswith(left), (at, ends)
        assert sorted(decisions(found)) == sorted(decisions(whole)), (at, ends)


def journal_of(folder: RunFolder) -> bytes:
    """What the bucket has of it."""
    bucket = Bucket(str(folder.store.address))
    return b"".join(bucket.get(name).partition(b"\n")[2] for name in bucket.objects("journal"))
