"""What a sweep has spent, and where it stops itself."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.session.spending import Spending, ending, require_unspent
from sweeper.errors import SpecError
from sweeper.plan.plan import Plan
from sweeper.record.effective_spec import effective_spec
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
    now,
)
from sweeper.record.state.sweep_state import SweepState
from sweeper.runtime.stopping.budget import Budget
from sweeper.spec.operating.spend import MaxSpend
from sweeper.spec.trainer.section import FunctionSpec, StopSpec
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


def test_the_time_to_end_is_kept_and_that_of_another_trainer_is_its_own(tiny_plan: Any) -> None:
    spec = tiny_plan(max_spend={"gpu_hours": 7}).spec
    assert ending(spec) == timedelta(seconds=15)
    stop = StopSpec(grace_s=60)
    trainer = FunctionSpec(function="a:b", max_steps=9, eval_every_steps=3, stop=stop)
    assert ending(spec.model_copy(update={"trainer": trainer})) == timedelta(seconds=75)
    soon = MaxSpend(until=(now() + timedelta(seconds=5)).isoformat())
    with pytest.raises(SpecError, match=r"^max_spend\.until: "):
        require_unspent(SweepState(spec.model_copy(update={"max_spend": soon})))


def test_what_stopped_the_last_session_stops_the_next_before_it_begins(tiny_plan: Any) -> None:
    plan = tiny_plan(max_spend={"gpu_hours": 7})
    resources = Allotment(slots=1, cpu=1, gpu=1)
    stopped = SpendReached(time=after(6.99), key="gpu_hours", limit=7)
    state = SweepState(plan.spec)
    for event in [*begun(plan, 0, resources, {0: 0}), stopped, ended(0, 6.995)]:
        state.apply(event)
    with pytest.raises(SpecError, match=r"^max_spend\.gpu_hours: 7 GPU hours are spent; state a"):
        require_unspent(state)
    state.spec = plan.spec.model_copy(update={"max_spend": MaxSpend(gpu_hours=8)})
    require_unspent(state)


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def go(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


def test_a_time_given_on_resuming_is_one_of_the_machine_where_it_was_typed(
    tmp_path: Path, tiny_plan: Any, in_zone: Callable[[str], None]
) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan):
        pass
    for text in ("max_spend.until=2999-01-01T08:00", "max_spend={until: 2999-01-01T08:00}"):
        in_zone("<-06>6")
        typed = prepare_resumption(folder, Changes(overrides=[text]), REFERENCE)
        in_zone("UTC")
        assert typed.session is not None
        spec, _ = effective_spec(folder, (), typed.session.overrides)
        assert spec.max_spend is not None and spec.max_spend.until is not None
        assert datetime.fromisoformat(spec.max_spend.until) == datetime(2999, 1, 1, 14, tzinfo=UTC)
    with pytest.raises(SpecError, match=r"max_spend\.until: must be a time, .* got 'soon'"):
        prepare_resumption(folder, Changes(overrides=["max_spend.until=soon"]), REFERENCE)


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
