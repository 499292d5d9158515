"""What a sweep has spent, and where it stops itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.session.spending import Spending, require_unspent
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan
from sweeper.record.journal import read_journal
from sweeper.record.run_folder import create_run_folder
from sweeper.record.state.events import (
    Allotment,
    Event,
    SessionStarted,
    SpendReached,
    TrialCreated,
    TrialEnded,
    TrialStarted,
)
from sweeper.record.state.sweep_state import SweepState
from sweeper.runtime.stopping.budget import Budget
from sweeper.status import Status
from tests.sweeper.closed_form import REFERENCE
from tests.sweeper.in_process import opened

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def after(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def begun(plan: Plan, hours: float, resources: Allotment, trials: dict[int, float]) -> list[Event]:
    """A session, and trials that start at these hours."""
    events: list[Event] = [SessionStarted(time=after(hours), placement=resources)]
    for number, at in trials.items():
        planned = plan.trials[number]
        config, name = planned.config.to_dict(), planned.trial_id
        events.append(TrialCreated(time=after(at), id=name, values=planned.values, config=config))
        events.append(TrialStarted(time=after(at), trial=name))
    return events


def ended(number: int, hours: float) -> TrialEnded:
    return TrialEnded(
        time=after(hours), trial=f"{number:04}", status=Status.COMPLETED, error=None
    )  # fmt: skip


def test_hours_are_those_in_which_trials_had_their_share(tiny_plan: Any) -> None:
    plan = tiny_plan(max_spend={"gpu_hours": 7})
    rate = plan.trials[2].values["learning_rate"]
    cases = ({"when": {"learning_rate": [rate]}, "gpu": 4.0},)
    first = Allotment(slots=2, cpu=2, gpu=1)
    second = Allotment(slots=2, cpu=3, gpu=1, cases=cases)
    state = SweepState(plan.spec)
    spending = Spending(state)
    for event in [*begun(plan, 0, first, {0: 1, 1: 1}), ended(1, 2.5)]:
        state.apply(event)
    assert spending.hours(after(3)) == (2 * (2 + 1.5), 2 + 1.5)
    # The driver was killed; nobody knows how long 0000 ran beyond the last that was heard.
    for event in begun(plan, 10, second, {2: 11}):
        state.apply(event)
    assert spending.hours(after(11.5)) == (2 * (1.5 + 1.5) + 3 * 0.5, 1.5 + 1.5 + 4 * 0.5)
    assert spending.reached(after(11.9)) is None
    found = spending.reached(after(12))
    assert found is not None
    assert (found.key, found.limit) == ("gpu_hours", 7)
    state.apply(ended(2, 12))
    assert spending.hours(after(20)) == spending.hours(after(12)), "nothing runs"
    assert Spending(state).hours(after(20)) == spending.hours(after(20)), "counted anew"


def test_a_sweep_stops_itself_and_goes_on_with_more(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(max_spend={"until": "2026-01-01T08:00+00:00"})
    with pytest.raises(SpecError, match=r"^max_spend\.until: it is 2026-\S+; state a later time"):
        require_unspent(SweepState(plan.spec))
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    said: list[str] = []
    with opened(folder, plan) as sweep:
        budget = Budget(sweep, lambda: said.append("the end"), said.append)
        budget.look()
        budget.look()
    assert said[1:] == ["the end"], "once"
    assert "resume" in said[0]
    assert isinstance(list(read_journal(folder.journal))[-1], SpendReached)
    with pytest.raises(SpecError, match=r"resume \S+ --set max_spend\.until=TIME"):
        prepare_resumption(folder, Changes(), REFERENCE)
    for more in ("max_spend.until=2999-01-01T08:00", "max_spend=null"):
        changes = Changes(overrides=[more])
        assert prepare_resumption(folder, changes, REFERENCE).session is not None
