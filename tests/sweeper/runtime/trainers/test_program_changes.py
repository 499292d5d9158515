"""A program that changes while its sweep runs: what is told then, and what a resume says."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.trainers import program_changes
from sweeper.runtime.trainers.program_changes import ProgramChanges
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import opened


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The folder of a program that a file names, in a repository."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "train.py").write_text("print('step 10: val loss 1.0')\n")
    (folder / "model.py").write_text("WIDTH = 8\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)


def planned(program: Path) -> Plan:
    path = program.parent / "space.yaml"
    with path.open("w") as file:
        YAML().dump(
            {
                "trainer": {
                    "folder": str(program),
                    "command": f"{sys.executable} train.py {{rate}}",
                    "settings": {"rate": {"type": "float"}},
                    "max_steps": 10,
                    "eval_every_steps": 10,
                },
                "space": {"rate": {"grid": [0.1, 0.2]}},
            },
            file,
        )
    spec, source = load_spec(path)
    return make_plan(spec, None, source)


@contextmanager
def begun(program: Path) -> Iterator[Sweep]:
    plan = planned(program)
    folder = create_run_folder(program.parent / "runs", plan.spec, None, "space.yaml")
    terms = SessionTerms(fingerprint=take_fingerprint(plan.spec, REFERENCE))
    with opened(folder, plan, terms) as sweep:
        yield sweep


def test_each_change_is_told_once_and_refused_by_a_resume(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_changes, "LOOK_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(program_changes, "MOST_OF_THE_TIME", 1e9)
    told: list[str] = []

    def look() -> list[str]:
        told.clear()
        for _ in range(2):
            watcher.refresh(sweep.state)
        return told

    with begun(program) as sweep:
        watcher = ProgramChanges(sweep, told.append)
        assert look() == []
        (program / "model.py").write_text("WIDTH = 9\n")
        (said,) = look()
        assert said.startswith(f"{program}: model.py has changed since this session began. What")
        (program / "helper.py").touch()
        (said,) = look()
        assert "helper.py has changed, model.py has changed since" in said
        (program / "helper.py").unlink()
        git(program, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "second")
        (said,) = look()
        assert "git commit has changed since" in said
    with pytest.raises(RunFolderError, match="ran with something else:\n  git commit has changed"):
        prepare_resumption(sweep.folder, Changes(), REFERENCE)
    session = prepare_resumption(sweep.folder, Changes(accept=True), REFERENCE).session
    assert session is not None and session.accepted == ("git commit has changed",)


def test_a_folder_that_is_gone_is_told(program: Path) -> None:
    told: list[str] = []
    with begun(program) as sweep:
        watcher = ProgramChanges(sweep, told.append)
        program.rename(program.parent / "away")
        watcher.refresh(sweep.state)
    assert len(told) == 1 and f"trainer.folder: no folder {program}" in told[0]
