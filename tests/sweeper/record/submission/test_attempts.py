"""The attempts at a submitted sweep, and its code, in folders of each kind."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.journal import begin_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.record.submission import attempts
from sweeper.record.submission.attempts import (
    Attempt,
    End,
    end_of,
    finish_stop,
    read_attempts,
    record_attempt,
    record_end,
    record_stop,
)
from sweeper.record.submission.code import code_here, name_of, packed, put_code

ATTEMPT = Attempt(number=1, job="sweeper-tiny-1-a", by_hand=True, submitted=5.0, sessions=0, work=0)


@pytest.fixture(params=["disk", "bucket"])
def folder(request: Any, tmp_path: Path, tiny_plan: Any, monkeypatch: Any) -> RunFolder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    stated = tmp_path / "runs" if request.param == "disk" else f"file://{tmp_path}/bucket"
    folder = create_run_folder(runs_folder(stated), tiny_plan().spec, None, "space.yaml")
    begin_journal(folder)
    return folder


def elsewhere(folder: RunFolder, tmp_path: Path, monkeypatch: Any) -> RunFolder:
    """The same run as another machine has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    address = folder.store.address
    runs = folder.path.parent if address is None else address.rpartition("/")[0]
    return find_run_folder(runs_folder(runs), folder.name)


def test_of_two_who_begin_an_attempt_one_does(
    folder: RunFolder, tmp_path: Path, monkeypatch: Any
) -> None:
    assert record_attempt(folder, ATTEMPT)
    there = elsewhere(folder, tmp_path, monkeypatch)
    assert not record_attempt(there, Attempt(**{**vars(ATTEMPT), "job": "another"}))
    assert read_attempts(there) == [ATTEMPT]


def test_the_first_word_on_how_it_ended_stands(
    folder: RunFolder, tmp_path: Path, monkeypatch: Any
) -> None:
    record_attempt(folder, ATTEMPT)
    record_end(folder, ATTEMPT, End(how="stopped", said="by hand"))
    record_end(folder, ATTEMPT, End(how="refused", said="later"))
    there = elsewhere(folder, tmp_path, monkeypatch)
    assert read_attempts(there)[0].end == End(how="stopped", said="by hand")


@pytest.mark.parametrize("how", [None, "not started", "refused"])
def test_a_stop_holds_whatever_the_last_attempt_met(
    folder: RunFolder, tmp_path: Path, monkeypatch: Any, how: Any
) -> None:
    """And a keeper that has looked just before submits nothing."""
    record_attempt(folder, ATTEMPT)
    if how is not None:
        record_end(folder, ATTEMPT, End(how=how, said="so"))
    there = elsewhere(folder, tmp_path, monkeypatch)
    keeper = elsewhere(folder, tmp_path / "keeper", monkeypatch)
    record_stop(there)
    record_stop(there)
    assert not record_attempt(keeper, replace(ATTEMPT, number=2, job="job-of-keep"))
    attempts = read_attempts(elsewhere(folder, tmp_path / "later", monkeypatch))
    assert len(attempts) == 2
    assert attempts[-1].end == End(how="stopped", said="`stop` was typed")
    end = end_of(folder, 1)  # asked by its job
    assert end is not None and end.how == (how or "stopped")


def test_a_stop_that_was_cut_short_is_no_end_of_what_is_submitted_later(
    folder: RunFolder, monkeypatch: Any
) -> None:
    record_attempt(folder, ATTEMPT)
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "record_attempt", cut_off)
        with pytest.raises(KeyboardInterrupt):
            record_stop(folder)
    assert len(read_attempts(folder)) == 1
    finish_stop(folder)
    finish_stop(folder)
    assert [each.end and each.end.how for each in read_attempts(folder)] == [None, "stopped"]
    record_attempt(folder, replace(ATTEMPT, number=3))
    assert end_of(folder, 3) is None


def cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_stop_holds_for_an_attempt_that_begins_at_that_instant(
    folder: RunFolder, monkeypatch: Any
) -> None:
    record_attempt(folder, ATTEMPT)
    create = folder.store.create
    keepers = replace(ATTEMPT, number=2, job="job-of-keep")

    def later(path: Path, content: bytes) -> bool:
        monkeypatch.setattr(folder.store, "create", create)
        assert create(path, content) and record_attempt(folder, keepers)
        return True

    monkeypatch.setattr(folder.store, "create", later)
    record_stop(folder)
    assert [each.job for each in read_attempts(folder)] == [ATTEMPT.job, keepers.job]
    end = end_of(folder, 2)
    assert end is not None and end.how == "stopped"


def test_code_arrives_as_it_was_and_only_for_who_runs_it(
    folder: RunFolder, tmp_path: Path, monkeypatch: Any
) -> None:
    source = tmp_path / "program"
    (source / "lib").mkdir(parents=True)
    (source / "train.sh").write_text("#!/bin/sh\n")
    (source / "train.sh").chmod(0o755)
    (source / "lib" / "a.py").write_text("A = 1\n")
    archive = packed(source, [source / "train.sh", source / "lib" / "a.py"])
    put_code(folder, archive)
    there = elsewhere(folder, tmp_path, monkeypatch)
    if there.store.address is not None:
        assert not list(there.path.glob("code-*"))
    here = code_here(there, f"/somewhere/{name_of(archive)}")
    assert here is not None and here.parent == there.path.resolve()
    assert (here / "lib" / "a.py").read_text() == "A = 1\n"
    assert os.access(here / "train.sh", os.X_OK)
    assert code_here(there, name_of(archive)) == here


def test_a_folder_of_the_user_s_own_is_left_alone(folder: RunFolder) -> None:
    assert code_here(folder, "/home/me/nanogpt") is None


def test_nothing_is_unpacked_outside(folder: RunFolder) -> None:
    """Whatever stands in the archive."""
    evil = folder.path / "code-0123456789abcdef.zip"
    with zipfile.ZipFile(evil, "w") as made:
        made.writestr("../../outside.py", "")
    folder.store.put(evil)
    here = code_here(folder, "code-0123456789abcdef")
    assert here is not None and [p.name for p in here.rglob("*.py")] == ["outside.py"]
    assert not list(folder.path.parent.parent.glob("outside.py"))
