"""A failed trial waits, is tried again, and at last has failed; nobody else waits for it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.trial import LONGEST_WAIT_SECONDS, Trial, backoff_seconds
from sweeper.record.tables import result_rows
from sweeper.status import Decision, Status
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import opened, run_trial
from tests.sweeper.journals import raw_events

WAIT = 1000.0  # seconds: no test takes so long


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Puts the clock forward (or back), for who waits; an attempt waits for WAIT seconds."""
    ahead = 0.0

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + ahead

    def put_forward(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr("sweeper.engine.sweep.time", Clock)
    wait = "sweeper.record.state.trial.backoff_seconds"
    monkeypatch.setattr(wait, lambda attempts: WAIT * bool(attempts))
    return put_forward


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(scheduler={"type": "fifo"}, max_retries=2)


@pytest.fixture
def folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def begin(sweep: Sweep) -> Trial:
    trial = sweep.next_trial()
    assert trial is not None
    sweep.start(trial.trial_id)
    return trial


def handed_out(sweep: Sweep) -> list[str]:
    return [trial.trial_id for trial in iter(sweep.next_trial, None)]


@pytest.mark.parametrize(
    "attempts, seconds", [(0, 0), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)]
)
def test_the_wait_doubles_up_to_a_minute(attempts: int, seconds: float) -> None:
    assert backoff_seconds(attempts) == seconds


@given(st.integers(0, 10_000))
def test_the_wait_never_falls(attempts: int) -> None:
    assert 0 <= backoff_seconds(attempts) <= backoff_seconds(attempts + 1) <= LONGEST_WAIT_SECONDS


def test_while_one_waits_the_others_run(
    folder: RunFolder, plan: Plan, later: Callable[[float], None]
) -> None:
    with opened(folder, plan) as sweep:
        begin(sweep)
        sweep.attempt_failed("0000", "broken")
        assert handed_out(sweep) == ["0001", "0002", "0003"]
        assert not sweep.is_over
        later(WAIT + 1)
        assert handed_out(sweep) == ["0000"]
        assert handed_out(sweep) == []


def test_a_resume_neither_loses_the_wait_nor_makes_it_longer(
    folder: RunFolder, plan: Plan, later: Callable[[float], None]
) -> None:
    with opened(folder, plan) as sweep:
        for _ in range(4):
            begin(sweep)
        sweep.attempt_failed("0002", "broken")
    later(WAIT / 2)
    with opened(folder, plan) as sweep:
        assert handed_out(sweep) == ["0000", "0001", "0003"]
    later(WAIT / 2 + 1)
    with opened(folder, plan) as sweep:
        assert handed_out(sweep) == ["0000", "0001", "0002", "0003"]


def test_a_clock_that_was_set_back_keeps_nobody_waiting(
    folder: RunFolder, plan: Plan, later: Callable[[float], None]
) -> None:
    with opened(folder, plan) as sweep:
        begin(sweep)
        sweep.attempt_failed("0000", "broken")
        later(-24 * 3600)
        assert handed_out(sweep)[0] == "0000"


@pytest.mark.usefixtures("later")
def test_the_last_retry_that_fails_ends_the_trial(folder: RunFolder, plan: Plan) -> None:
    """Counted over all sessions; what was lost with a node is not counted."""
    attempts = ["fails", "is lost", "is lost", "fails", "is lost", "fails"]
    for n, what in enumerate(attempts):
        with opened(folder, plan) as sweep:
            sweep.start("0000") if n else begin(sweep)
            sweep.attempt_failed("0000", f"{n} {what}", counted=what == "fails")
            trial = sweep.trials["0000"]
            row = next(r for r in result_rows(sweep.state, folder) if r["trial_id"] == "0000")
            assert row["error"] == f"{n} {what}"
    assert (trial.status, trial.failures, trial.losses) == (Status.FAILED, 3, 3)
    assert row["num_failures"] == 3
    recorded = [e["error"] for e in raw_events(folder.journal) if e.get("error")]
    assert recorded == [f"{n} {what}" for n, what in enumerate(attempts)]
    with opened(folder, plan) as sweep:
        assert "0000" not in handed_out(sweep)


@pytest.mark.usefixtures("later")
def test_a_trial_that_recovers_has_no_error(folder: RunFolder, plan: Plan) -> None:
    with opened(folder, plan) as sweep:
        trial = begin(sweep)
        sweep.attempt_failed("0000", "broken")
        MetricsFiles(folder).ended(trial)
        run_trial(sweep, trial)
        MetricsFiles(folder).close(sweep.state)
        (row,) = result_rows(sweep.state, folder)
    assert (row["status"], row["error"], row["num_failures"]) == ("completed", None, 1)
    assert not folder.trial_error("0000").exists()


def test_what_fails_on_its_way_out_is_not_trained_again(
    tmp_path: Path, tiny_plan: Any, later: Callable[[float], None]
) -> None:
    """ASHA has stopped or paused it; then its checkpoint could not be written, for once."""
    plan = tiny_plan(scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = begin(sweep)
        trainer = ClosedFormTrainer(trial.config, num_threads=1)
        metrics = next(m for m in trainer.train() if m is not None)
        assert sweep.evaluated("0000", metrics) is Decision.PAUSE
        sweep.attempt_failed("0000", "the checkpoint was not written")
        assert trial.status is Status.PAUSED
        assert handed_out(sweep) == ["0001", "0002", "0003"]


def test_an_error_is_in_its_file_though_the_driver_was_killed_before(
    folder: RunFolder, plan: Plan
) -> None:
    with opened(folder, plan) as sweep:
        begin(sweep)
        sweep.end("0000", error="broken")
    with opened(folder, plan) as sweep:
        MetricsFiles(folder).close(sweep.state)
    assert folder.trial_error("0000").read_text() == "broken"
