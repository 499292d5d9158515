"""How a session has ended, for the shell: whole sessions in this process, without a cluster."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper import running
from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Placement
from sweeper.record.state.events import Outcome
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.ray_tune import metrics, runner
from sweeper.runtime.session.preparation import Options
from sweeper.runtime.trial_loop import load_trainer
from sweeper.spec.sweep_spec import Resources
from sweeper.status import ExitCode
from tests.sweeper.closed_form import REFERENCE

FAILING = REFERENCE.replace("ClosedForm", "Failing")


@pytest.mark.parametrize(
    ("trainer", "rates", "outcome", "code"),
    [
        (REFERENCE, [1e-3, 0.7], "finished", ExitCode.DONE),  # one diverges
        (REFERENCE, [0.6, 0.7], "finished", ExitCode.FAILED),
        (FAILING, [1e-3, 0.2], "finished", ExitCode.DONE),  # one fails
        (FAILING, [0.2, 0.3], "finished", ExitCode.FAILED),
        (REFERENCE, [1e-3, 0.7], "failed", ExitCode.FAILED),
        (REFERENCE, [0.6, 0.7], "interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_no_success_at_all_is_a_failure(
    tmp_path: Path, write_space: Any, monkeypatch: pytest.MonkeyPatch,
    trainer: str, rates: list[float], outcome: Outcome, code: ExitCode,
) -> None:  # fmt: skip
    def run_trials(sweep: Sweep, _: Placement, audience: Audience, *__: object) -> Outcome:
        InProcess(sweep, audience, load_trainer(trainer)).run()
        return outcome

    @contextmanager
    def workers(*_: object) -> Iterator[running.Workers]:
        yield running.Workers(placement=Placement(Resources(), slots=1), dashboard=None)

    monkeypatch.setattr(running, "started_workers", workers)
    monkeypatch.setattr(runner, "run_trials", run_trials)
    monkeypatch.setattr(metrics.RayMetrics, "refresh", lambda *_: None)  # to a cluster
    space = write_space(space={"learning_rate": {"grid": rates}}, max_retries=0)
    options = Options(runs=tmp_path / "runs", trainer=trainer)
    result = running.run_file(space, Console(file=io.StringIO()), options)
    assert (result.exit_code, result.outcome) == (code, outcome)
