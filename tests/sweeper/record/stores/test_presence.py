"""Of drivers on several machines one goes on: who may, and what becomes of the other."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import RunFolderError, StorageError
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.in_bucket import InBucket, Publisher
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.presence import GONE_SECONDS, PRESENCE, Driver, Ear
from sweeper.record.stores.segments import SegmentWriter
from sweeper.record.stores.working_copy import WorkingCopy
from tests.sweeper.engine.sweeps import decisions
from tests.sweeper.in_process import drive, opened
from tests.sweeper.record.stores.conftest import SWEEPS, go_to, made_in_bucket


def test_of_two_drivers_one_goes_on_and_the_other_ends_with_a_message(
    address: str, tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    with opened(folder, plan) as first:
        trial = first.next_trial()
        go_to("another", tmp_path, monkeypatch)
        found = find_run_folder(runs_folder(address), "tiny")
        with found.locked():
            whole = drive(found, plan)
        assert trial is not None
        first.start(trial.trial_id)
        with pytest.raises(StorageError, match=r"process \d+ on .* has gone on with the sweep"):
            first.commit()
        assert first.failure is not None
    assert len(decisions(found)) > len(whole.trials)


def test_a_sweep_that_is_at_work_elsewhere_is_refused_until_it_is_silent(
    address: str, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    bucket = Bucket(f"{address}/tiny")
    Driver(host="elsewhere", pid=12, copy="/copy").say(bucket)
    match = r"another sweeper is at work in it \(process 12 on elsewhere; .* try again in \d+ s\)"
    with pytest.raises(RunFolderError, match=match), folder.locked():
        pass
    assert folder.is_locked
    monkeypatch.setattr("sweeper.record.stores.presence.GONE_SECONDS", -1.0)
    folder = RunFolder(folder.path)
    assert not folder.is_locked
    with folder.locked():
        assert PRESENCE in bucket.objects()
    assert PRESENCE not in bucket.objects()


def test_a_driver_that_wakes_after_the_end_of_the_sweep_changes_nothing_of_it(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, plan, folder = made_in_bucket(tiny_plan, tmp_path)
    with folder.locked():
        with opened(folder, plan) as first:
            first.next_trial()
        monkeypatch.setattr("sweeper.record.stores.presence.GONE_SECONDS", -1.0)
        go_to("another", tmp_path, monkeypatch)
        found = find_run_folder(runs_folder(address), "tiny")
        with found.locked():
            drive(found, plan)
            found.report.write_text("the end")
        folder.report.write_text("asleep")
    assert Bucket(f"{address}/tiny").get("report.html") == b"the end"


def test_a_segment_that_is_just_being_written_is_of_no_other_driver(
    tiny_plan: Any, tmp_path: Path
) -> None:
    """It is in the bucket before its writer hears of that. A driver that writes much and took it
    for another's would fall silent, and be taken for a lost one."""
    address, _, folder = made_in_bucket(tiny_plan, tmp_path)
    store = InBucket(folder.path, f"{address}/tiny")
    store.log().commit(b"{}\n")
    publisher = Publisher(store.working)
    assert publisher._is_ours()
    SegmentWriter(store.bucket, 1).commit(b"{}\n")
    assert not publisher._is_ours()


def test_a_long_push_is_no_silence_and_ends_where_another_driver_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, copy = Bucket(f"file://{tmp_path}/bucket"), tmp_path / "copy"
    copy.mkdir()
    for name in ("a", "b", "c"):
        (copy / name).touch()
    monkeypatch.setattr("sweeper.record.stores.in_bucket.SAID_EVERY_SECONDS", 0.0)
    publisher = Publisher(WorkingCopy(copy, bucket))
    said = []
    monkeypatch.setattr(Driver, "say", lambda driver, bucket: said.append(driver))
    publisher.working.push(publisher._is_at_work)
    assert set(said) == {publisher.driver}
    (copy / "d").touch()
    bucket.put(PRESENCE, b'{"host": "elsewhere", "pid": 12, "copy": "another"}')
    publisher.working.push(publisher._is_at_work)
    assert "d" not in bucket.objects()


@pytest.mark.parametrize("answers", [False, True], ids=["it raises", "it answers at last"])
def test_while_the_bucket_is_away_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    bucket, clock = Bucket(f"file://{tmp_path}/bucket"), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    Driver(host="elsewhere", pid=12, copy="another").say(bucket)
    ear, read = Ear(bucket, tmp_path), bucket.read

    def is_away(name: str) -> Any:
        clock[0] += 30
        if answers:
            return read(name)
        raise OSError("it does not answer")

    def asked_for(seconds: float) -> bool:
        for _ in range(int(seconds)):
            clock[0] += 1
            said = ear.is_silent()
        return said

    assert not asked_for(3)
    monkeypatch.setattr(bucket, "read", is_away)
    with nullcontext() if answers else pytest.raises(OSError, match="does not answer"):
        ear.is_silent()
    monkeypatch.setattr(bucket, "read", read)
    assert not asked_for(GONE_SECONDS - 3)
    assert asked_for(5)
