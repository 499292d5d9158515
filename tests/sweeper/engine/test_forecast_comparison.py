"""`compare: forecast` at work: killed at any event, whatever a library says after the resume."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state.trial import Trial
from sweeper.spec.clock import Clock, clock_per_step
from sweeper.spec.scheduler_spec import GRACE_KEYS
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.schedulers.foresight import CurveForesight, Expected
from sweeper.strategy.surface.observation import CALIBRATION
from tests.sweeper.closed_form import BEST_LEARNING_RATE
from tests.sweeper.in_process import Fault, Killed, Mortal, drive
from tests.sweeper.journals import raw_events

RATES = [round(1e-5 * 2**k, 8) for k in range(17)] + [0.7]
SPACE = {"learning_rate": {"grid": RATES}}
FORMS = [
    {"mode": "stop", "clock": "step"},
    {"mode": "promote", "clock": "step"},
    {"mode": "promote", "clock": "tokens"},
    {"mode": "stop", "clock": "flops"},
]


def plan_of(tiny_plan: Any, mode: str, clock: Clock) -> Any:
    train = {"eval_every_steps": 2, "checkpoint_every_steps": 2}
    (any_trial, *_) = tiny_plan(train=train).trials
    grace = {GRACE_KEYS[clock]: 4 * clock_per_step(any_trial.config, clock)}
    scheduler = {"type": "asha", "compare": "forecast", "mode": mode, "clock": clock, **grace}
    return tiny_plan(space=SPACE, train=train, scheduler=scheduler)


def new_folder(root: Path, spec: SweepSpec) -> RunFolder:
    return create_run_folder(root, spec, None, "space.yaml")


def decided(folder: RunFolder) -> list[dict[str, Any]]:
    aside = {"time", "checkpoint"}
    return [
        {key: value for key, value in event.items() if key not in aside}
        for event in raw_events(folder.journal)
        if event["event"] in {"report", "promoted", "trial_ended"}
    ]


# A process that is killed does not close its files.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_killed_at_any_event_it_decides_as_if_never_killed(
    tmp_path: Path, tiny_plan: Any, form: Any
) -> None:
    plan = plan_of(tiny_plan, **form)
    whole = new_folder(tmp_path / "whole", plan.spec)
    sweep = drive(whole, plan)
    forecast = [e for e in decided(whole) if "forecast" in e]
    assert len(forecast) >= 5
    assert all(e["deviation"] > 0 and 0 <= e["chance"] <= 1 for e in forecast)
    completed = sweep.state.with_status(Status.COMPLETED)
    best = min(completed, key=lambda trial: trial.evaluations[-1].val_loss or 9.0)
    assert 0.7 < best.config.learning_rate / BEST_LEARNING_RATE < 1.5
    assert len(completed) < len(RATES) / 2 + 2
    for at in itertools.count(5, 29):
        folder = new_folder(tmp_path / str(at), plan.spec)
        with pytest.MonkeyPatch.context() as patch:
            Mortal(patch, at, before=bool(at % 2))
            try:
                drive(folder, plan)
            except Killed:
                drive(folder, plan)
            else:
                break
        assert decided(folder) == decided(whole), f"killed at event {at}"
    assert at > 80


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_resume_takes_its_decisions_from_the_journal(tmp_path: Path, tiny_plan: Any) -> None:
    """Even where another version forecasts the opposite."""
    plan = plan_of(tiny_plan, "stop", "step")
    folder = new_folder(tmp_path, plan.spec)
    with pytest.MonkeyPatch.context() as patch:
        Mortal(patch, 130, before=False)
        with pytest.raises(Killed):
            drive(folder, plan)
    before = decided(folder)
    assert "stop" in {e["decision"] for e in before if "forecast" in e}
    expected = CurveForesight.expected

    def opposite(self: CurveForesight, trial_ids: Sequence[str], time: int) -> list[Expected]:
        return [Expected(-end.value, 0.1) for end in expected(self, trial_ids, time)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CurveForesight, "expected", opposite)
        drive(folder, plan)
    assert decided(folder)[: len(before)] == before


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_trials_that_fail_keep_nobody_waiting(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """One fails on its way to calibrate the others, one loses its node and comes to its end."""
    monkeypatch.setattr("sweeper.record.state.trial.backoff_seconds", lambda _: 0.0)
    plan = plan_of(tiny_plan, mode, "step")
    sound = new_folder(tmp_path / "sound", plan.spec)
    first, second, *_ = drive(sound, plan).state.with_status(Status.COMPLETED)

    def fault(trial: Trial, step: int) -> Fault:
        if trial.trial_id == first.trial_id and step == 10:
            return "fails"
        if trial.trial_id == second.trial_id and step == 10 and not trial.losses:
            return "is lost"
        return None

    state = drive(new_folder(tmp_path / "faulty", plan.spec), plan, fault=fault).state
    assert state.trials[first.trial_id].status is Status.FAILED
    assert state.trials[second.trial_id].status is Status.COMPLETED
    assert len(state.with_status(Status.COMPLETED)) >= CALIBRATION
    assert all(trial.status.ended for trial in state.trials.values())
    best = best_trial(state)
    assert best is not None
    assert 0.5 < best.config.learning_rate / BEST_LEARNING_RATE < 2


def test_a_journal_that_is_only_read_is_not_forecast_from(
    tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tiny_plan, "promote", "step")
    folder = new_folder(tmp_path, plan.spec)
    drive(folder, plan)
    monkeypatch.setattr(CurveForesight, "expected", None)  # what is not called need not be there
    drive(folder, plan)
