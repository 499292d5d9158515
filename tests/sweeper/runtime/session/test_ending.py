"""How a session has ended, for the shell."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.record.run_folder import create_run_folder
from sweeper.record.state.events import Outcome
from sweeper.runtime.session.ending import SessionResult
from sweeper.status import ExitCode
from tests.sweeper.in_process import drive


@pytest.mark.parametrize(
    ("rates", "outcome", "code"),
    [
        ([1e-3, 0.7], "finished", ExitCode.DONE),
        ([0.6, 0.7], "finished", ExitCode.FAILED),  # both diverge
        ([1e-3, 0.7], "failed", ExitCode.FAILED),
        ([0.6, 0.7], "interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_no_success_at_all_is_a_failure(
    tmp_path: Path, tiny_plan: Any, rates: list[float], outcome: Outcome, code: ExitCode
) -> None:
    plan = tiny_plan(space={"learning_rate": {"grid": rates}})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    state = drive(folder, plan).state
    assert SessionResult(folder=folder, state=state, outcome=outcome).exit_code is code
