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
def test_the_folder_of_a_trial_that_runs(
    tmp_path: Path, write_space: Any, cluster: None, said: IO[str]
) -> None:
    """And that of one that waits for its promotion, and half of the journal; then the sweep is
    killed, and resumed."""
    gate, space = tmp_path / "gate", write_space(**SECTIONS, resources=ONE_AT_A_TIME)
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    process = session("run", space, folder.path.parent, stderr=said)
    wait_until(process, lambda: hung(folder))
    waiting = [trial.trial_id for trial in state_of(folder).trials.values() if trial.checkpoint]
    for trial_id in waiting:
        shutil.rmtree(folder.trial(trial_id))
    record = folder.journal.read_bytes()
    folder.journal.write_bytes(record[: len(record) // 2])
    told = [f"Trial {trial_id}: {folder.trial(trial_id)}/ was deleted." for trial_id in waiting]
    told.append(f"{folder.journal}: was deleted, replaced or changed; it is back as it was.")
    wait_until(process, lambda: all(text in Path(said.name).read_text() for text in told))
    process.kill()
    process.wait()
    assert folder.journal.read_bytes().startswith(record)
    assert all(folder.trial_config(trial_id).is_file() for trial_id in waiting)

    gate.touch()
    assert session("resume", "tiny", folder.path.parent, stderr=said).wait() == ExitCode.DONE
    assert_ended_as(folder, whole)
    everything = Path(said.name).read_text()
    assert "Traceback" not in everything
    assert [everything.count(text) for text in told] == [1] * len(told)


@pytest.mark.slow
@pytest.mark.parametrize("moved", [False, True])
def test_the_folder_of_the_sweep(
    tmp_path: Path,
    write_space: Any,
    cluster: None,
    said: IO[str],
    moved: bool,
) -> None:
    gate, space = tmp_path / "gate", write_space(**SECTIONS, resources=ONE_AT_A_TIME)
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    process = session("run", space, folder.path.parent, stderr=said)
    wait_until(process, lambda: hung(folder))
    there = RunFolder(tmp_path / "there" / "tiny") if moved else folder
    if moved:
        there.path.parent.mkdir()
        folder.path.rename(there.path)
    while folder.path.exists() and process.poll() is None and not moved:
        shutil.rmtree(folder.path, ignore_errors=True)  # a trial may write into it meanwhile
    assert process.wait() == ExitCode.FAILED
    told = Path(said.name).read_text()
    assert f"was {'moved away' if moved else 'deleted'} while the sweep was at work in it" in told
    assert f"python -m sweeper resume {there.path}\n" in told

    gate.touch()
    assert session("resume", "tiny", there.path.parent).wait() == ExitCode.DONE
    assert_ended_as(there, whole)
