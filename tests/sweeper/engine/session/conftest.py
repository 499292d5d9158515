"""A sweep that has begun as `run` begins it, and what resumes it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import Changes, Resumption, prepare_resumption
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan, make_plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import result_rows
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import drive

RANDOM = {
    "train": {"min_learning_rate": 0},
    "space": {"learning_rate": {"loguniform": [1e-4, 1e-1]}},
    "search": {"algorithm": "random", "num_trials": 4, "seed": 3},
}


@pytest.fixture
def data(tmp_path: Path, tokens_folder: Path) -> Path:
    """Tokens of the test's own, to move and to change."""
    return Path(shutil.copytree(tokens_folder, tmp_path / "data"))


@pytest.fixture
def started(tmp_path: Path, write_space: Any, data: Path) -> Any:
    """Begin a sweep as `run` does, and drive it to its end."""

    def start(name: str = "tiny", trainer: str = REFERENCE, **sections: Any) -> RunFolder:
        spec, source = load_spec(write_space(**{"data": str(data), **sections}))
        plan = make_plan(spec, data, source)
        folder = create_run_folder(tmp_path / "runs", plan.spec, name, "space.yaml")
        drive(folder, plan, first_session(plan, trainer))
        return folder

    return start


def first_session(plan: Plan, trainer: str = REFERENCE) -> SessionTerms:
    return SessionTerms(fingerprint=take_fingerprint(plan.spec, trainer))


def prepared(folder: RunFolder, trainer: str = REFERENCE, **changes: Any) -> Resumption:
    return prepare_resumption(folder, Changes(**changes), trainer)


def go_on(folder: RunFolder, trainer: str = REFERENCE, **changes: Any) -> Sweep:
    resumption = prepared(folder, trainer, **changes)
    assert resumption.session is not None, "there is nothing to go on with"
    return drive(folder, resumption.plan, resumption.session)


def unfinished(folder: RunFolder, keep: float = 0.5) -> None:
    """As after a kill in the middle."""
    lines = folder.journal.read_text().splitlines(keepends=True)
    folder.journal.write_text("".join(lines[: int(len(lines) * keep)]))


def table(sweep: Sweep) -> list[dict[str, Any]]:
    return result_rows(sweep.state, sweep.folder)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
