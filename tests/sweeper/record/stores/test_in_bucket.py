"""Run folders in a bucket: what is decided, who may go on, and what others see of it."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeper.errors import RunFolderError, StorageError
from sweeper.record import journal
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import RunFolder, create_run_folder, require_free_name
from sweeper.record.runs.finding import find_run_folder, list_run_folders, newest_run_folder
from sweeper.record.stores import segments
from sweeper.record.stores.in_bucket import Publisher
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.segments import SegmentWriter
from sweeper.record.stores.working_copy import WorkingCopy
from sweeper.runtime.stopping.requests import request_trial_stop
from tests.sweeper.engine.sweeps import decisions
from tests.sweeper.in_process import Killed, drive, opened
from tests.sweeper.record.stores.conftest import SWEEPS, go_to, made_in_bucket


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
@pytest.mark.parametrize("kind", ["promote", "hyperband", "pbt"])
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


def test_what_nobody_acts_on_comes_there_together(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    address, clock = f"file://{tmp_path}/bucket", [0.0]
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")

    def there() -> list[bytes]:
        return [lines for lines, _ in segments.read_segments(Bucket(f"{address}/tiny"), 0)]

    with opened(folder, plan) as sweep:
        assert sweep.next_trial() is not None
        before = len(there())
        monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        sweep.start("0000")
        sweep.end_turn()
        clock[0] = 0.9 * journal.GATHERED_SECONDS
        sweep.watcher_failed("screen", "it is gone")
        sweep.end_turn()
        assert len(there()) == before
        clock[0] = journal.GATHERED_SECONDS
        sweep.end_turn()
        assert [lines.count(b"\n") for lines in there()[before:]] == [2]


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


def end_without_a_word(publisher: Publisher) -> None:
    publisher._ended.set()
    publisher.join()


def test_what_could_not_be_pushed_is_pushed_by_the_next_session(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, plan, folder = made_in_bucket(tiny_plan, tmp_path)
    with folder.locked():
        drive(folder, plan)
        folder.report.write_text("before")
    bucket = Bucket(f"{address}/tiny")
    with monkeypatch.context() as patch, pytest.raises(Killed), folder.locked():
        folder.report.write_text("after")
        patch.setattr(Publisher, "finish", end_without_a_word)
        raise Killed
    assert bucket.get("report.html") == b"before"
    with RunFolder(folder.path).locked():
        pass
    assert bucket.get("report.html") == b"after"


def test_a_checkpoint_that_is_removed_is_found_no_more_though_its_files_are_still_deleted(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    runs = runs_folder(f"file://{tmp_path}/bucket")
    monkeypatch.setattr(WorkingCopy, "delete", lambda working, folder: None)
    folder = create_run_folder(runs, plan.spec, "tiny", "space.yaml")
    sweep = drive(folder, plan)
    assert set(sweep.state.checkpoints.last_name.values()) != {"checkpoint_000000"}
    folder.store.see(folder.trials)
    for trial_id in sweep.trials:
        kept = [stored.name for stored in sweep.state.checkpoints.of_trial.get(trial_id, ())]
        assert sorted(path.name for path in folder.checkpoint_folders(trial_id)) == kept


def test_a_note_of_another_machine_reaches_the_bucket_and_goes_from_it(
    address: str, tiny_plan: Any
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    folder = create_run_folder(runs_folder(address), plan.spec, "tiny", "space.yaml")
    folder.write_note("from afar")
    bucket = Bucket(f"{address}/tiny")
    assert bucket.get("note.txt") == b"from afar\n"
    folder.write_note("")
    assert "note.txt" not in bucket.objects()


def test_a_bucket_that_does_not_say_what_it_has_stops_the_sweep_with_a_message(
    tiny_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**SWEEPS["promote"])
    runs = runs_folder(f"file://{tmp_path}/bucket")
    folder = create_run_folder(runs, plan.spec, "tiny", "space.yaml")

    def gone(*_: object) -> None:
        raise OSError(errno.EREMOTEIO, "no answer", "bucket/tiny")

    match = r"bucket/tiny: cannot be read \(no answer\).*; see that the bucket answers"
    with opened(folder, plan) as sweep:
        sweep.next_trial()
        monkeypatch.setattr(Bucket, "objects", gone)
        with pytest.raises(StorageError, match=match):
            sweep.checkpointed("0000", "checkpoint_000000")


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
