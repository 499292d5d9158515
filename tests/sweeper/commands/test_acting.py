"""`export` and `delete`: what is written and what goes, and above all what stays."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper.analysis.monitor import Monitor
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from tests.sweeper.commands.conftest import Sweeper
from tests.sweeper.in_process import Killed, Mortal, drive


def checkpoints(folder: RunFolder) -> dict[str, list[str]]:
    """By trial, oldest first; only trials that have one."""
    there = {path.name: folder.checkpoint_folders(path.name) for path in folder.trials.iterdir()}
    return {name: sorted(path.name for path in paths) for name, paths in there.items() if paths}


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def best_of(folder: RunFolder) -> tuple[str, str]:
    best = Monitor(folder).best
    assert best is not None
    assert best.checkpoint is not None
    return best.trial_id, best.checkpoint


def test_the_winner_stays_and_the_rest_goes(sweeper: Sweeper, finished: RunFolder) -> None:
    trial_id, newest = best_of(finished)
    before = bytes_in(finished.trials)
    said = sweeper("delete", "lr", "--checkpoints", "--yes")
    assert said.code == 0
    assert checkpoints(finished) == {trial_id: [newest]}
    freed = said.out.splitlines()[-1]
    assert freed == f"Freed {before - bytes_in(finished.trials)} B."
    would, stays = said.out.splitlines()[-3:-1]
    assert f"free {freed.split()[1]} B." in would
    assert stays.startswith(f"The winner's newest, of trial {trial_id}, stays")
    again = sweeper("delete", "lr", "--checkpoints", "--yes")
    assert again.out == "runs/lr/: there are no checkpoints to delete.\n"


def test_the_journal_and_the_tables_know(sweeper: Sweeper, finished: RunFolder) -> None:
    record, had = finished.journal.read_bytes(), set(checkpoints(finished))
    sweeper("delete", "lr", "--checkpoints", "--with-best", "--yes")
    assert checkpoints(finished) == {}
    assert finished.journal.read_bytes().startswith(record), "the past is never rewritten"
    new = [json.loads(line) for line in finished.journal.read_bytes()[len(record) :].splitlines()]
    assert {event["event"] for event in new} == {"checkpoint_removed"}
    assert {event["trial"] for event in new} == had
    look = Monitor(finished)
    assert look.state_name == "finished"
    assert all(trial.checkpoint is None for trial in look.state.trials.values())
    assert pq.read_table(finished.results).column("checkpoint").to_pylist() == [None] * 4
    facts = json.loads(sweeper("best", "lr", "--json").out)
    assert facts["checkpoint"] is None
    assert facts["command"] is None
    assert "rain it further" not in sweeper("best", "lr").out


def test_a_script_has_to_say_yes(sweeper: Sweeper, finished: RunFolder) -> None:
    before = checkpoints(finished)
    said = sweeper("delete", "lr", "--checkpoints")
    assert said.code == 2
    assert said.err == "nothing was deleted: there is nobody to ask; add --yes\n"
    assert "checkpoints would go, and free" in said.out
    assert checkpoints(finished) == before


def test_what_to_delete_has_to_be_said(sweeper: Sweeper, finished: RunFolder) -> None:
    said = sweeper("delete", "lr", "--yes")
    assert said.code == 2
    assert "say what to delete: --checkpoints" in said.err


def test_a_running_sweep_is_left_alone(sweeper: Sweeper, finished: RunFolder) -> None:
    before = checkpoints(finished)
    with finished.locked():
        said = sweeper("delete", "lr", "--checkpoints", "--yes")
    assert said.code == 2
    assert "another sweeper is at work in it" in said.err
    assert checkpoints(finished) == before


def test_what_a_resume_goes_on_from_stays(
    sweeper: Sweeper, interrupted: RunFolder, plan: Plan
) -> None:
    unfinished = interrupted.trial("0001") / "checkpoint_000000"
    unfinished.mkdir(parents=True)
    (unfinished / CHECKPOINT_FILE).write_text('{"step": 4}')
    sweeper("delete", "cut", "--checkpoints", "--with-best", "--yes")
    assert checkpoints(interrupted) == {"0001": ["checkpoint_000000"]}
    sweep = drive(interrupted, plan)
    assert all(trial.status.ended for trial in sweep.trials.values())


@pytest.mark.parametrize("before", [True, False])
def test_killed_while_deleting_it_is_deleted_again(
    sweeper: Sweeper, finished: RunFolder, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    trial_id, newest = best_of(finished)
    with monkeypatch.context() as patch:
        Mortal(patch, at=1, before=before)
        with pytest.raises(Killed):
            sweeper("delete", "lr", "--checkpoints", "--yes")
    assert len(checkpoints(finished)) > 1, "nothing goes before the journal says so"
    assert sweeper("delete", "lr", "--checkpoints", "--yes").code == 0
    assert checkpoints(finished) == {trial_id: [newest]}


def test_a_folder_that_cannot_be_written(
    sweeper: Sweeper, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only disk; the tests may run as root, whom no permission stops."""
    before = checkpoints(finished)

    def refused(*arguments: Any, **more: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("filelock.UnixFileLock._acquire", refused)
    for command in ("status", "best", "list"):
        assert sweeper(command, *(["lr"] if command != "list" else [])).code == 0
    said = sweeper("delete", "lr", "--checkpoints", "--yes")
    assert said.code == 2
    assert said.err.startswith("runs/lr: cannot be written (Read-only file system); work on a copy")
    assert checkpoints(finished) == before


def test_an_export_without_a_checkpoint_names_who_has_one(
    sweeper: Sweeper, finished: RunFolder
) -> None:
    trial_id, _ = best_of(finished)
    sweeper("delete", "lr", "--checkpoints", "--yes")
    other = "0000" if trial_id != "0000" else "0001"
    said = sweeper("export", "lr", other, "out")
    assert said.code == 2
    assert f"trial {other} (" in said.err
    assert f"has no checkpoint; these have one, best first: {trial_id}\n" in said.err
    assert not Path("out").exists()


def test_an_export_overwrites_nothing(sweeper: Sweeper, finished: RunFolder) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    said = sweeper("export", "lr", "out")
    assert said == (2, "", "out: is there already; name a new folder\n")
    code, out, said = sweeper("export", "lr", "x" * 300)
    assert (code, out) == (2, "")
    assert said.endswith("x: cannot be made: File name too long\n")
    assert os.listdir("out") == ["mine.txt"]


def test_an_export_of_a_damaged_checkpoint_leaves_nothing(
    sweeper: Sweeper, finished: RunFolder, project: Path
) -> None:
    """A closed-form checkpoint is none of torch's: the real exporter refuses it."""
    before = sorted(os.listdir(project))
    said = sweeper("export", "lr", "sub/out")
    assert said.code == 2
    assert "checkpoint.pt: truncated or damaged" in said.err
    assert sorted(os.listdir(project)) == sorted([*before, "sub"])
    assert os.listdir("sub") == []


def test_an_export_without_a_winner(sweeper: Sweeper, interrupted: RunFolder) -> None:
    record = interrupted.journal.read_text().replace('"status": "completed"', '"status": "failed"')
    interrupted.journal.write_text(record)
    said = sweeper("export", "cut", "out")
    assert said.code == 2
    assert "no trial has completed, so there is no best; name one: " in said.err
    assert "best first: 0000" in said.err


def test_too_many_words_for_an_export(sweeper: Sweeper, finished: RunFolder) -> None:
    said = sweeper("export", "lr", "0", "out", "more")
    assert said.code == 2
    assert "one trial's id and one folder at most" in said.err
