"""The command line called in this process, on run folders made of closed-form trials."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sweeper.__main__ import main
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from tests.sweeper.in_process import drive, opened, run_trial

GRID = {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.7]}}


class Said(NamedTuple):
    code: int
    out: str
    err: str


Sweeper = Callable[..., Said]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with nothing of the outside in its environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def sweeper(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Sweeper:
    """Runs `python -m sweeper …`."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr("sys.argv", ["sweeper", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 0
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    """Two trials complete or are stopped, and one diverges."""
    return tiny_plan(space=GRID)


@pytest.fixture
def finished(project: Path, plan: Plan) -> RunFolder:
    """A sweep that has run to its end."""
    folder = create_run_folder(project / "runs", plan.spec, "lr", "space.yaml")
    drive(folder, plan)
    return folder


@pytest.fixture
def interrupted(project: Path, plan: Plan) -> RunFolder:
    """One whose first trial has ended, and whose second was killed as it began."""
    folder = create_run_folder(project / "runs", plan.spec, "cut", "space.yaml")
    with opened(folder, plan) as sweep:
        first = sweep.next_trial()
        assert first is not None
        run_trial(sweep, first)
        second = sweep.next_trial()
        assert second is not None
        sweep.start(second.trial_id)
    return folder
