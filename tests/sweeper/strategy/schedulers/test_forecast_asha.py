"""ASHA by forecasts: who is behind for a known reason goes on; what was decided once stands."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.spec.domains.listed import Grid
from sweeper.spec.points import Point
from sweeper.spec.scheduler_spec import AshaSpec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Decision
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.forecast_asha import ForecastAsha
from sweeper.strategy.schedulers.foresight import CurveForesight, Expected
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict
from sweeper.strategy.surface.observation import CALIBRATION

END, GRACE = 16, 4
CONTINUE, PAUSE, STOP = Decision.CONTINUE, Decision.PAUSE, Decision.STOP


class Told:
    """Ends that are stated, each with a deviation of 0.1; noise of 0.1."""

    def __init__(self, ends: dict[str, float]) -> None:
        self.ends = ends
        self.ended: dict[str, float] = {}

    def added(self, trial_id: str, end: int, point: Point | None) -> None: ...

    def reached(self, trial_id: str, time: int, score: float) -> None:
        if time >= END:
            self.ended[trial_id] = score

    def is_calibrated(self, trial_id: str, time: int) -> bool:
        return len(self.ended) >= CALIBRATION

    def expected(self, trial_ids: Sequence[str], time: int) -> list[Expected]:
        return [
            Expected(self.ended[t], 0.0) if t in self.ended else Expected(self.ends[t], 0.1)
            for t in trial_ids
        ]

    def to_beat(self, trial_id: str, time: int) -> Expected:
        return Expected(min(self.ended.values()), 0.1)


def calibrated(form: str = "stop", **ends: float) -> ForecastAsha:
    """Six have ended, at 2.0 to 2.5."""
    asha = ForecastAsha(GRACE, 2, Told(ends), form=form)  # type: ignore[arg-type]
    for number in range(CALIBRATION):
        trial_id = f"c{number}"
        asha.added(trial_id, END)
        for time in (4, 8, 16):
            asha.report(trial_id, time, 2 + number / 10, END)
        asha.ended(trial_id)
    return asha


def test_who_is_behind_for_a_known_reason_goes_on_and_a_leader_without_a_future_stops() -> None:
    asha = calibrated(late=1.5, early=2.9)
    late = asha.report("late", GRACE, 9.0, END)
    assert late == Verdict(CONTINUE, 4, 1, 7, forecast=1.5, deviation=0.1, chance=1.0)
    early = asha.report("early", GRACE, 1.0, END)
    assert early == Verdict(STOP, 4, 8, 8, forecast=2.9, deviation=0.1, chance=0.0)


@pytest.mark.parametrize(
    ("end", "decision"), [(1.8, CONTINUE), (1.95, CONTINUE), (2.0, STOP), (2.2, STOP)]
)
def test_a_trial_that_will_not_beat_the_best_by_more_than_noise_stops(
    end: float, decision: Decision
) -> None:
    """The best is 2.0, noise 0.1: at 1.95 its chance is still 31 %, at 2.0 it is 16 %."""
    assert calibrated(x=end).report("x", GRACE, 2.0, END).decision is decision


def test_the_chance_is_the_normal_one() -> None:
    verdict = calibrated(x=1.95).report("x", GRACE, 2.0, END)
    assert verdict.chance == pytest.approx(0.3085, abs=1e-4)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_value_that_is_missing_stops_always(value: float | None) -> None:
    for form in ("stop", "promote"):
        assert calibrated(form, x=1.0).report("x", GRACE, value, END).decision is STOP


def test_until_enough_have_ended_those_that_arrive_go_on() -> None:
    asha = ForecastAsha(GRACE, 2, Told({}))
    verdicts = [asha.report(f"{n}", GRACE, float(n), END) for n in range(20)]
    assert {verdict.decision for verdict in verdicts} == {CONTINUE}
    assert {verdict.forecast for verdict in verdicts} == {None}


def promotions(asha: ForecastAsha, paused: set[str]) -> list[str]:
    found = []
    while (promotion := asha.promotion(paused)) is not None:
        asha.promote(promotion)
        paused.discard(promotion.trial_id)
        found.append(promotion.trial_id)
    return found


def test_that_promotes_calibrates_with_the_leaders_and_replaces_one_that_is_lost() -> None:
    asha = ForecastAsha(GRACE, 2, Told({}), form="promote")
    paused = {f"{n:02}" for n in range(20)}
    for trial_id in sorted(paused):
        asha.added(trial_id, END)
        assert asha.report(trial_id, GRACE, float(trial_id), END).decision is PAUSE
    assert promotions(asha, paused) == [f"{n:02}" for n in range(CALIBRATION)]
    asha.ended("00")  # it diverged
    assert promotions(asha, paused) == [f"{CALIBRATION:02}"]
    asha.report("01", 8, 1.0, END)
    assert promotions(asha, {*paused, "01"}) == ["01"], "it goes on to its end"


def test_that_promotes_lets_the_best_chance_go_first() -> None:
    asha = calibrated("promote", a=1.8, b=1.5, c=1.7, d=2.6)
    for trial_id in "abcd":
        assert asha.report(trial_id, GRACE, 3.0, END).decision is PAUSE
    assert asha.standing(set("abcd"))[:3] == ["b", "c", "a"]
    assert promotions(asha, set("abcd")) == ["b", "c", "a"], "d never"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, float | None]]:
    """Reports of trials at each rung, in any order of the trials."""
    trials = [f"{n}" for n in range(draw(st.integers(7, 14)))]
    left = {trial: [4, 8, 16] for trial in trials}
    said = []
    while left:
        trial = draw(st.sampled_from(sorted(left)))
        value = draw(st.sampled_from([1.0, 1.2, 1.5, 2.0, 3.0, None]))
        said.append((trial, left[trial].pop(0), value))
        if not left[trial] or value is None:
            del left[trial]
    return said


@given(histories(), st.sampled_from(["stop", "promote"]), st.integers(2, 4))
def test_what_was_decided_once_stands_and_leads_to_the_same(
    history: list[tuple[str, int, float | None]], form: str, factor: int
) -> None:
    """Rebuilt from what was decided, by a model that now says the opposite; then asked on."""
    ends = {f"{n}": 1 + n / 10 for n in range(14)}
    opposite = {trial: 9 - end for trial, end in ends.items()}
    live, again = (
        ForecastAsha(GRACE, factor, Told(told), form=form)  # type: ignore[arg-type]
        for told in (ends, opposite)
    )
    for trial, time, value in history:
        verdict = live.report(trial, time, value, END)
        assert again.recall(trial, time, value, END, verdict) == verdict
        if verdict.rung is not None and form == "promote" and verdict.decision is PAUSE:
            live.promote(Promotion(trial, verdict.rung))
            again.promote(Promotion(trial, verdict.rung))
    again.foresight = live.foresight
    live.foresight.reached("new", END, 1.4)  # type: ignore[attr-defined]
    paused = {f"{n}" for n in range(14)}
    assert again.promotion(paused) == live.promotion(paused)
    assert again.report("13", GRACE, 1.0, 99) == live.report("13", GRACE, 1.0, 99)


def test_what_no_forecast_decides_is_verified() -> None:
    """A rung, the number there, and that a missing value stops, follow from the reports."""
    verdict = calibrated(x=1.5).report("x", GRACE, 9.0, END)
    wrong = replace(verdict, rung=8, of=3)
    assert calibrated(x=1.5).recall("x", GRACE, 9.0, END, wrong) == verdict
    lost = calibrated(x=1.5).recall("x", GRACE, None, END, verdict)
    assert lost.decision is STOP
    assert calibrated(x=1.5).recall("x", 5, 9.0, END, verdict).decision is CONTINUE
    paused = calibrated("promote", x=1.5)
    assert paused.recall("x", GRACE, 9.0, END, verdict).decision is PAUSE, "it never stops there"


def spec(**sections: object) -> SweepSpec:
    return SweepSpec(
        name="x",
        train={"max_steps": END, "warmup_steps": 2, "min_learning_rate": 0},
        space={"learning_rate": Grid(grid=[1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3, 1e-2])},
        scheduler=AshaSpec(grace_steps=GRACE, compare="forecast"),
        **sections,  # type: ignore[arg-type]
    )


def loss(rate: float, time: int, seed: int = 0) -> float:
    return 2 + math.log10(rate / 1e-3) ** 2 + 3 / math.sqrt(time) + 0.001 * seed


def test_other_seeds_of_the_best_point_are_not_stopped_for_it() -> None:
    asha = make_scheduler(spec(seeds=[0, 1, 2]))
    assert isinstance(asha, ForecastAsha)
    rates = [1e-4, 4e-4, 8e-4, 1.6e-3, 6.4e-3, 1e-2]
    for (index, rate), seed in itertools.product(enumerate(rates), (0, 1)):
        trial_id = f"{index}{seed}"
        asha.added(trial_id, END, {"learning_rate": rate})
        for time in (4, 8, 16):
            asha.report(trial_id, time, loss(rate, time, seed), END)
    for trial_id, rate, decision in [("x", 8e-4, CONTINUE), ("y", 1e-4, STOP)]:
        asha.added(trial_id, END, {"learning_rate": rate})
        assert asha.report(trial_id, GRACE, loss(rate, GRACE, 2), END).decision is decision


def test_what_has_run_elsewhere_is_learnt_from() -> None:
    """So a grid that is extended is forecast from its first new trial on."""
    asha = make_scheduler(spec())
    assert isinstance(asha, ForecastAsha)
    for number, rate in enumerate([1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 6.4e-3]):
        curve = {time: loss(rate, time) for time in (4, 8, 16)}
        asha.learn(f"old{number}", END, {"learning_rate": rate}, curve)
    asha.added("new", END, {"learning_rate": 1e-2})
    verdict = asha.report("new", GRACE, loss(1e-2, GRACE), END)
    assert (verdict.decision, verdict.of) == (STOP, 1)
    assert verdict.forecast == pytest.approx(loss(1e-2, END), abs=0.3)


def test_a_trial_of_a_length_that_none_has_had_goes_on() -> None:
    """Nothing can be said of it."""
    foresight = CurveForesight(spec())
    for number in range(CALIBRATION):
        foresight.added(f"{number}", END, {"learning_rate": 10.0 ** -(2 + number / 4)})
        for time in (8, 16):
            foresight.reached(f"{number}", time, 2.0)
    foresight.added("long", 100, {"learning_rate": 1e-3})
    foresight.reached("long", 8, 2.0)
    assert not foresight.is_calibrated("long", 8)


def test_by_loss_it_is_as_published() -> None:
    by_loss = spec().model_copy(update={"scheduler": AshaSpec(grace_steps=GRACE)})
    assert type(make_scheduler(by_loss)) is Asha
