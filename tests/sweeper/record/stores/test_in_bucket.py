"""Run folders in a bucket: what is decided, who may go on, and what others see of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import RunFolderError, StorageError
from sweeper.record.run_folder import (
    RUNS,
    RunFolder,
    create_run_folder,
    find_run_folder,
    list_run_folders,
    newest_run_folder,
    require_free_name,
)
from sweeper.record.stores import segments
from sweeper.record.stores.bucket import Bucket
from sweeper.record.stores.in_bucket import Publisher
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.presence import PRESENCE, Driver
from sweeper.record.stores.segments import SegmentWriter
from sweeper.record.stores.store import STUB, folder_bytes
from sweeper.record.stores.working_copy import WorkingCopy
from sweeper.runtime.stopping.requests import request_trial_stop
from tests.sweeper.engine.test_sweep import FORMS, GRID, PBT, decisions
from tests.sweeper.in_process import Killed, drive, opened

SWEEPS = {
    "promote": {"space": GRID, "scheduler": FORMS["promote"]},
    "hyperband": {"space": GRID, "scheduler": FORMS["hyperband"]},
    "pbt": PBT,
}


@pytest.fixture(autouse=True)
def on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to("one", tmp_path, monkeypatch)


def go_to(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine has another cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))


@pytest.fixture(params=["disk", "file", "s3"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of the run folders in each kind of store."""
    if request.param == "disk":
        return tmp_path / "runs"
    if request.param == "s3":
        return runs_folder(request.getfixturevalue("s3"))
    return runs_folder(f"file://{tmp_path}/bucket")


def test_a_sweep_is_the_same_in_every_store(runs: Path, tiny_plan: Any, tmp_path: Path) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    require_free_name(runs, "tiny")
    folder = create_run_folder(runs, plan.spec, "tiny", "space.yaml")
    with folder.locked():
        assert folder.is_locked
        drive(folder, plan)
    assert not folder.is_locked
    expected = create_run_folder(tmp_path / "expected", plan.spec, "tiny", "space.yaml")
    drive(expected, plan)
    assert decisions(folder) == decisions(expected)
    with pytest.raises(RunFolderError, match="tiny: the name is in use; choose another --name"):
        require_free_name(runs, "tiny")
    with pytest.raises(RunFolderError, match=r"other: no sweep there; there are: tiny"):
        find_run_folder(runs, "other")
    second = create_run_folder(runs, plan.spec, None, "space.yaml")
    assert second.name == "tiny-2"
    with second.locked():
        drive(second, plan)
    assert [f.name for f in list_run_folders(runs)] == ["tiny", "tiny-2"]
    assert newest_run_folder(runs).name == "tiny-2"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", ["promote", "hyperband"])
def test_killed_at_any_segment_it_goes_on_elsewhere_to_the_same_end(
    kind: str, before: bool, tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS[kind])
    runs = runs_folder(f"file://{tmp_path}/bucket")
    whole = create_run_folder(runs, plan.spec, "whole", "space.yaml")
    drive(whole, plan)
    total = len(Bucket(str(whole.store.address)).objects(segments.JOURNAL))
    assert total > 20
    for at in range(2, total, 5):
        go_to("one", tmp_path, monkeypatch)
        folder = create_run_folder(runs, plan.spec, f"killed{at}", "space.yaml")
        with monkeypatch.context() as patch:
            die_at_segment(patch, at, before=before)
            with pytest.raises(Killed):
                drive(folder, plan)
        go_to("another", tmp_path, monkeypatch)
        found = find_run_folder(runs_folder(f"file://{tmp_path}/bucket"), f"killed{at}")
        assert found.path != folder.path
        with found.locked():
            drive(found, plan)
        assert sorted(decisions(found)) == sorted(decisions(whole)), at


def die_at_segment(patch: pytest.MonkeyPatch, at: int, *, before: bool) -> None:
    commit = SegmentWriter.commit

    def mortal(writer: SegmentWriter, lines: bytes) -> None:
        if writer.number + 1 == at and before:
            raise Killed
        commit(writer, lines)
        if writer.number == at:
            raise Killed

    patch.setattr(SegmentWriter, "commit", mortal)


def test_a_sweep_whose_trials_take_over_from_one_another_is_the_same_in_a_bucket(
    address: str, tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["pbt"])
    whole = create_run_folder(tmp_path / "runs", plan.spec, "tiny", "space.yaml")
    drive(whole, plan)
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    with folder.locked():
        drive(folder, plan)
    assert decisions(folder) == decisions(whole)
    go_to("another", tmp_path, monkeypatch)
    found = find_run_folder(runs_folder(address), "tiny")
    assert found.journal.read_bytes() == folder.journal.read_bytes()


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


def test_what_a_driver_writes_is_seen_elsewhere_and_what_is_asked_there_reaches_it(
    address: str, tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    with folder.locked():
        sweep = drive(folder, plan)
        folder.write_note("a note")
    go_to("another", tmp_path, monkeypatch)
    found = find_run_folder(runs_folder(address), "tiny")
    assert found.read_note() == "a note"
    (best,) = [t for t in sweep.trials.values() if t.status == "completed"]
    assert best.checkpoint is not None
    there = found.checkpoint(best.trial_id, best.checkpoint)
    size = folder.checkpoint_bytes(best.trial_id, best.checkpoint)
    assert found.checkpoint_bytes(best.trial_id, best.checkpoint) == size
    assert not (there / "checkpoint.pt").exists()  # weights are large
    found.fetch_checkpoint(best.trial_id, best.checkpoint)
    assert (there / "checkpoint.pt").read_bytes() == (
        folder.checkpoint(best.trial_id, best.checkpoint) / "checkpoint.pt"
    ).read_bytes()
    request_trial_stop(found, "0001")
    publisher = Publisher(folder.store.working)  # type: ignore[attr-defined]
    publisher.working.take_requests()
    assert folder.trial_stop_request("0001").is_file()
    folder.trial_stop_request("0001").unlink()
    publisher.working.take_requests()
    assert not publisher.working.bucket.objects(".requests")


def test_a_bucket_that_goes_away_stops_the_sweep_which_can_be_resumed(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    runs = runs_folder(f"file://{tmp_path}/bucket")
    folder = create_run_folder(runs, plan.spec, "tiny", "space.yaml")
    monkeypatch.setattr(Bucket, "patience_seconds", 0.0)

    def gone(bucket: Bucket, name: str, content: bytes) -> bool:
        raise OSError("no answer")

    with opened(folder, plan) as sweep:
        sweep.next_trial()
        with monkeypatch.context() as patch:
            patch.setattr(Bucket, "_create", gone)
            sweep.start("0000")
            match = r"bucket/tiny/journal.jsonl: cannot be written \(no answer\), so the sweep has"
            with pytest.raises(StorageError, match=match):
                sweep.commit()
    assert sweep.failure is not None
    assert f"resume tiny --runs file://{tmp_path}/bucket" in str(sweep.failure)
    with (
        monkeypatch.context() as patch,
        pytest.raises(StorageError, match="the last tables could not be brought there"),
        folder.locked(),
    ):
        drive(folder, plan)
        patch.setattr(
            Publisher, "_is_ours", lambda publisher: gone(publisher.working.bucket, "", b"")
        )
    with folder.locked():
        pass


def test_a_driver_that_wakes_after_the_end_of_the_sweep_changes_nothing_of_it(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"file://{tmp_path}/bucket"
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    with folder.locked():
        with opened(folder, plan) as first:
            first.next_trial()
        monkeypatch.setattr("sweeper.record.stores.presence.GONE_SECONDS", -1.0)
        go_to("another", tmp_path, monkeypatch)
        found = find_run_folder(runs_folder(address), "tiny")
        with found.locked():
            drive(found, plan)
            found.write_note("the end")
        folder.write_note("asleep")
    assert Bucket(f"{address}/tiny").get("note.txt") == b"the end\n"


def test_what_could_not_be_pushed_is_pushed_by_the_next_session(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"file://{tmp_path}/bucket"
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    with folder.locked():
        drive(folder, plan)
        folder.write_note("before")
    bucket = Bucket(f"{address}/tiny")
    with monkeypatch.context() as patch, pytest.raises(Killed), folder.locked():
        folder.write_note("after")
        patch.setattr(Publisher, "finish", lambda publisher: None)
        raise Killed
    assert bucket.get("note.txt") == b"before\n"
    with RunFolder(folder.path).locked():
        pass
    assert bucket.get("note.txt") == b"after\n"


def test_a_request_that_a_cut_connection_keeps_back_is_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    bucket.put(".requests/stop.json", b"{}")
    working = WorkingCopy(tmp_path / "copy", bucket)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="cut"):
        patch.setattr(bucket, "download", fails)
        working.take_requests()
    working.take_requests()
    assert (tmp_path / "copy" / ".requests" / "stop.json").is_file()


def fails(*_: object) -> None:
    raise OSError("cut")


def test_a_checkpoint_is_a_stub_until_all_of_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    name = "trials/0000/checkpoint_000000"
    bucket.put(f"{name}/progress.json", b"{}")
    bucket.put(f"{name}/shards/0.pt", b"weights")
    working, folder = WorkingCopy(tmp_path / "copy", bucket), tmp_path / "copy" / name
    with monkeypatch.context() as patch:
        patch.setattr(working, "_download", fails)
        with pytest.raises(OSError, match="cut"):
            working.fetch(folder)
    assert folder_bytes(folder) == 9
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    working.fetch(folder)
    assert (folder / "shards" / "0.pt").read_bytes() == b"weights"
    assert folder_bytes(folder) == 9
    assert not (folder / STUB).exists()
    with pytest.raises(FileNotFoundError, match="it has been deleted"):
        working.fetch(folder.with_name("checkpoint_000001"))


def test_what_the_server_says_is_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    runs = runs_folder(f"{s3}-denied")
    with pytest.raises(
        RunFolderError, match=r"cannot be reached \(.*\); the address, and the keys"
    ):
        find_run_folder(runs, "tiny")


def test_no_key_is_written_anywhere(s3: str, tiny_plan: Any, tmp_path: Path) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(s3), plan.spec, "tiny", "space.yaml")
    with folder.locked():
        drive(folder, plan)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert folder.journal in files
    assert [path for path in files if b"-of-the-tests" in path.read_bytes()] == []
    bucket = Bucket(f"{s3}/tiny")
    assert all(b"-of-the-tests" not in bucket.get(name) for name in bucket.objects())
    assert json.loads(folder.path.joinpath(".copy.json").read_text())["segments"] > 1


@pytest.mark.parametrize("stated", ["ftp://x/y", "s3://", "http://bucket"])
def test_an_address_of_nothing_is_refused(stated: str) -> None:
    with pytest.raises(RunFolderError, match="--runs: must be a folder, or an address as s3://"):
        runs_folder(stated)
    assert runs_folder("runs") == RUNS
