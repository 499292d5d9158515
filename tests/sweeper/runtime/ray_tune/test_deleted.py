"""Somebody deletes what a sweep has written while it is at work: real processes on a cluster."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode
from tests.sweeper.runtime.ray_tune.test_kills import state_of, undisturbed
from tests.sweeper.runtime.ray_tune.test_resume import (
    ONE_AT_A_TIME,
    SECTIONS,
    assert_ended_as,
    hung,
    session,
    wait_until,
)


@pytest.fixture
def said(tmp_path: Path) -> Iterator[IO[str]]:
    """What the drivers say on standard error."""
    with (tmp_path / "said").open("w+") as file:
        yield file


@pytest.mark.slow
def test_what_a_sweep_at_work_has_written(
    tmp_path: Path, write_space: Any, cluster: None, said: IO[str]
) -> None:
    """The folders of a trial that runs and of those that wait for their promotion, with half of
    the journal, which it writes again; then its own folder, moved away, and when it has been
    resumed there, deleted, which ends it."""
    gate, space = tmp_path / "gate", write_space(**SECTIONS, resources=ONE_AT_A_TIME)
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    process = session("run", space, folder.path.parent, stderr=said)
    wait_until(process, lambda: hung(folder))
    lost = [trial.trial_id for trial in state_of(folder).trials.values() if trial.checkpoint]
    for trial_id in lost:  # in one step: one of them writes into it
        folder.trial(trial_id).rename(tmp_path / trial_id)
    record = folder.journal.read_bytes()
    folder.journal.write_bytes(record[: len(record) // 2])
    told = [f"Trial {trial_id}: {folder.trial(trial_id)}/ was deleted." for trial_id in lost]
    told.append(f"{folder.journal}: was deleted, replaced or changed; it is back as it was.")
    wait_until(process, lambda: all(text in Path(said.name).read_text() for text in told))
    assert "Traceback" not in Path(said.name).read_text()
    assert folder.journal.read_bytes().startswith(record)
    assert all(folder.trial_config(trial_id).is_file() for trial_id in lost)

    there = RunFolder(tmp_path / "there" / "tiny")
    there.path.parent.mkdir()
    folder.path.rename(there.path)
    assert process.wait() == ExitCode.FAILED
    assert is_told("moved away", there, Path(said.name).read_text())

    gate.with_suffix(".waited-at").unlink()
    process = session("resume", "tiny", there.path.parent, stderr=said)
    wait_until(process, gate.with_suffix(".waited-at").exists)
    while there.path.exists() and process.poll() is None:
        shutil.rmtree(there.path, ignore_errors=True)  # a trial may write into it meanwhile
    assert process.wait() == ExitCode.FAILED
    assert is_told("deleted", there, Path(said.name).read_text())

    gate.touch()
    assert session("resume", "tiny", there.path.parent, stderr=said).wait() == ExitCode.DONE
    assert_ended_as(there, whole)
    everything = Path(said.name).read_text()
    assert [everything.count(text) for text in told] == [1] * len(told)


def is_told(what: str, there: RunFolder, told: str) -> bool:
    told = told[told.index(f"was {what} while the sweep was at work in it") :]
    return f"python -m sweeper resume {there.path}\n" in told
