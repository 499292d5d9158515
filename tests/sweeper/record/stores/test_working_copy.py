"""What a machine has of a run in a bucket, and what it brings there."""

import shutil
from pathlib import Path
from threading import Semaphore

import pytest

from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import (
    RunFolder,
)
from sweeper.record.stores import working_copy
from sweeper.record.stores.disk import Disk
from sweeper.record.stores.in_bucket import pull_all
from sweeper.record.stores.places import runs_folder
from sweeper.record.stores.store import STUB, folder_bytes
from sweeper.record.stores.working_copy import WorkingCopy


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


def test_what_the_driver_deletes_goes_from_the_bucket_and_half_a_file_never_comes_there(
    tmp_path: Path,
) -> None:
    bucket, copy = Bucket(f"file://{tmp_path}/bucket"), tmp_path / "copy"
    working = WorkingCopy(copy, bucket)
    (copy / "trials" / "0000").mkdir(parents=True)
    for name in ("journal.jsonl", "note.txt", "results.parquet.tmp", "trials/0000/stack.txt"):
        (copy / name).touch()
    working.push(lambda: True)
    assert set(bucket.objects()) == {"note.txt", "trials/0000/stack.txt"}
    (copy / "trials" / "0000" / "stack.txt").unlink()
    working.push(lambda: True)
    assert set(bucket.objects()) == {"note.txt"}
    shutil.rmtree(copy)
    copy.mkdir()
    working.push(lambda: True)
    assert set(bucket.objects()) == {"note.txt"}


def test_it_is_asked_whether_to_go_on_while_one_file_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver says then that it lives."""
    bucket, asked = Bucket(f"file://{tmp_path}/bucket"), Semaphore(0)
    working = WorkingCopy(tmp_path / "copy", bucket)
    working.path.mkdir(exist_ok=True)
    (working.path / "note.txt").write_text("large")
    put = bucket.put

    def slow(name: str, content: Path) -> str | None:
        for _ in range(3):
            assert asked.acquire(timeout=60)
        return put(name, content)

    monkeypatch.setattr(bucket, "put", slow)
    monkeypatch.setattr(working_copy, "ASKED_EVERY_SECONDS", 0.01)

    def goes_on() -> bool:
        asked.release()
        return True

    working.push(goes_on)
    assert bucket.get("note.txt") == b"large"


def test_a_reader_leaves_alone_what_is_being_made_and_what_a_driver_is_at(tmp_path: Path) -> None:
    runs = runs_folder(f"file://{tmp_path}/bucket")
    (runs / ".new-1").mkdir()
    Bucket(f"file://{tmp_path}/bucket").put("tiny/note.txt", b"there")
    working = WorkingCopy(runs / "tiny", Bucket(f"file://{tmp_path}/bucket/tiny"))
    working.path.mkdir()
    with Disk(working.path).held():
        working.pull()
        assert not (working.path / "note.txt").exists()
    pull_all(runs, f"file://{tmp_path}/bucket")
    assert (working.path / "note.txt").read_text() == "there"
    assert (runs / ".new-1").is_dir()


def test_where_no_driver_is_only_the_newest_checkpoint_of_a_trial_stays(tmp_path: Path) -> None:
    folder = RunFolder(runs_folder(f"file://{tmp_path}/bucket") / "tiny")
    names = ["checkpoint_000000", "checkpoint_000001"]
    for name in names:
        folder.checkpoint("0000", name).mkdir(parents=True)
    with Disk(folder.path).held():
        folder.store.leave_older(folder.checkpoint("0000", names[1]))
    assert len(folder.checkpoint_folders("0000")) == 2
    folder.store.leave_older(folder.checkpoint("0000", names[1]))
    assert [path.name for path in folder.checkpoint_folders("0000")] == names[1:]
