"""What looking says of folders of which something is missing, damaged, or of another version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.record.tables import write_tables
from tests.sweeper.commands.conftest import Sweeper

LOOKING = (["status"], ["status", "--json"], ["best"], ["best", "--json"], ["trial", "0000"])


def look(sweeper: Sweeper, name: str) -> list[Any]:
    return [sweeper(command, name, *more) for command, *more in LOOKING]


def test_a_journal_that_is_missing(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.journal.unlink()
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "runs/lr/journal.jsonl: is missing, and with it what was decided; " in said.err


def test_a_folder_that_never_began(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.journal.unlink()
    shutil.rmtree(finished.trials)
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "runs/lr: it has no journal.jsonl, so no sweep ever began in it" in said.err


def test_a_sweep_killed_before_its_first_event(sweeper: Sweeper, finished: RunFolder) -> None:
    shutil.rmtree(finished.trials)
    finished.journal.write_bytes(b'{"event": "session_st')
    status, facts, best, best_facts, trial = look(sweeper, "lr")
    assert status.code == 0
    assert status.out.startswith("runs/lr/: interrupted, 0/4 trials ended\n")
    assert json.loads(facts.out)["ranking"] == []
    assert (best.code, best_facts.code) == (1, 1)
    assert trial.err == "runs/lr: no trial '0000'; it has none yet\n"
    assert sweeper("list").out.split()[6:] == ["lr", "interrupted", "0/4"]


def test_a_folder_without_its_spec(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.spec.unlink()
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith("runs/lr/sweep.yaml: no such file; restore it from a copy, or ")
    assert "unreadable" in sweeper("list").out


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_folder_without_its_journal(
    sweeper: Sweeper, finished: RunFolder, is_folder: bool
) -> None:
    write_tables(read_state(finished), finished)
    finished.journal.unlink()
    if is_folder:
        finished.journal.mkdir()
    problem = "cannot be read (Is a directory); restore" if is_folder else "no such file; restore"
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith(f"runs/lr/journal.jsonl: {problem} it from a copy")
        assert is_folder or said.err.endswith("is shown by: python -m sweeper report lr\n")
    finished.results.unlink()
    said = sweeper("status", "lr")
    assert (said.code, said.err.split("runs/lr")[1][:15]) == (2, "/journal.jsonl:")
    shutil.rmtree(finished.trials)
    if not is_folder:
        assert "so no sweep ever began in it; start one: " in sweeper("status", "lr").err


def test_a_spec_of_another_version(sweeper: Sweeper, finished: RunFolder) -> None:
    finished.spec.write_text(finished.spec.read_text() + "newer_key: 1\n")
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "newer_key: no such key" in said.err


def test_events_that_lack_what_this_version_writes(sweeper: Sweeper, finished: RunFolder) -> None:
    record = finished.journal.read_text()
    finished.journal.write_text(record.replace(', "rung": 4', "", 1))
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert said.err.startswith("runs/lr/journal.jsonl:")
        assert said.err.count("\n") == 1
    assert "unreadable" in sweeper("list").out


def test_an_event_of_another_version(sweeper: Sweeper, finished: RunFolder) -> None:
    with finished.journal.open("a") as file:
        file.write('{"event": "trial_cloned", "time": "2026-01-01T00:00:00+00:00"}\n')
    for said in look(sweeper, "lr"):
        assert said.code == 2
        assert "does not know: 'trial_cloned'" in said.err


def test_only_the_journal_and_the_spec_are_needed(sweeper: Sweeper, finished: RunFolder) -> None:
    """The rest may be lost: tables, metrics, configs, checkpoints."""
    shutil.rmtree(finished.trials)
    for said in look(sweeper, "lr"):
        assert said.code == 0
    assert sweeper("status", "lr").out.count("\n") == 6
    command = sweeper("best", "lr", "--command")
    assert command.code == 2
    assert "is gone" in command.err
    assert "python -m trainable --resume_from" not in sweeper("best", "lr").out
    assert json.loads(sweeper("best", "lr", "--json").out)["command"] is None


def test_looking_changes_nothing(sweeper: Sweeper, finished: RunFolder) -> None:
    def contents() -> dict[Path, bytes]:
        files = (path for path in finished.path.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if path.name != ".lock"}

    before = contents()
    look(sweeper, "lr")
    assert contents() == before


@pytest.mark.parametrize(
    ("command", "arguments"), [("trial", ["0000"]), ("tensorboard", []), ("status", [])]
)
def test_damage_in_what_a_trial_has_measured_is_told_by_line(
    sweeper: Sweeper, interrupted: RunFolder, command: str, arguments: list[str]
) -> None:
    """Once a driver runs it, `status` reads what its running trials have measured, too."""
    for trial_id in ("0000", "0001"):
        interrupted.trial_metrics(trial_id).parent.mkdir(exist_ok=True)
        interrupted.trial_metrics(trial_id).write_text('{"step": 1}\n{"step": "two"}\n')
    with interrupted.locked():
        said = sweeper(command, "cut", *arguments)
    assert said.code == 2
    assert "metrics.jsonl:2: damaged line of metrics (step: " in said.err
    assert "Traceback" not in said.err
