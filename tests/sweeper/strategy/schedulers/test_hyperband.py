"""Hyperband beside Tune's HyperBandScheduler, and through what Tune's does not bear."""

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeper.status import Decision
from sweeper.strategy.schedulers.hyperband import Hyperband
from sweeper.strategy.schedulers.scheduler import Promotion


class FakeTrial:
    """What Tune's scheduler reads of a trial."""

    is_saving = False

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id
        self.status = "PENDING"
        self.time = 0


class FakeController:
    """What it does to one."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def stop_trial(self, trial: FakeTrial) -> None:
        trial.status = "TERMINATED"
        self.scheduler.on_trial_remove(self, trial)


def promotable(ours: Hyperband, paused: Iterable[str], *, more: bool = False) -> set[str]:
    """All that may go on."""
    left, found = set(paused), set()
    while (promotion := ours.promotion(left, more=more)) is not None:
        left.remove(promotion.trial_id)
        found.add(promotion.trial_id)
    return found


@settings(deadline=None)
@given(
    st.sampled_from([(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]),
    st.integers(1, 2),
    st.sampled_from(["min", "max"]),
    st.integers(0, 10**9),
)
def test_lets_those_go_on_whom_tune_lets_go_on(
    shape: tuple[int, int], rounds: int, mode: Any, seed: int
) -> None:
    """Both are given the same full brackets; in any order one runs to its next rung, until all
    have ended. At each moment the same trials may go on."""
    from ray.tune.schedulers import HyperBandScheduler

    rng = random.Random(seed)
    factor, rungs = shape
    end = factor**rungs
    sizes = [math.ceil((rungs + 1) / (s + 1) * factor**s) for s in range(rungs, -1, -1)]
    tune = HyperBandScheduler("time", "value", mode, max_t=end, reduction_factor=factor)
    controller = FakeController(tune)
    ours = Hyperband(1, factor, objective=mode)
    # Tune numbers the brackets of a round from its least aggressive one on.
    ids = [f"{n:04d}" for n in range(rounds * sum(sizes))]
    trials = {trial_id: FakeTrial(trial_id) for trial_id in ids}
    in_tunes_order: list[str] = []
    for number in range(rounds):
        left = ids[number * sum(sizes) : (number + 1) * sum(sizes)]
        brackets = []
        for size in sizes:
            brackets.append(left[:size])
            left = left[size:]
        in_tunes_order += [trial_id for bracket in reversed(brackets) for trial_id in bracket]
    for trial_id in in_tunes_order:
        tune.on_trial_add(controller, trials[trial_id])
    for trial_id in ids:
        ours.added(trial_id, end)
    paused: set[str] = set()
    fresh, losses = set(ids), iter(rng.sample(range(10**6), 10**4))

    def runnable() -> set[str]:
        found = set()
        for trial_id, trial in trials.items():
            waits = trial.status == "PAUSED"
            unpaused = waits and trial in tune._trial_info[trial][0].trials_to_unpause
            if trial.status in ("PENDING", "RUNNING") or unpaused:
                found.add(trial_id)
        return found

    while may_run := runnable():
        assert may_run == fresh | promotable(ours, paused)
        chosen = rng.choice(sorted(may_run))
        trial = trials[chosen]
        if chosen in paused:
            ours.promote(Promotion(chosen, trial.time))
        paused.discard(chosen)
        fresh.discard(chosen)
        bracket = tune._trial_info[trial][0]
        trial.status, trial.time, loss = "RUNNING", int(bracket._cumul_r), next(losses)
        action = tune.on_trial_result(controller, trial, {"time": trial.time, "value": loss})
        decision = ours.report(chosen, trial.time, float(loss), end).decision
        if trial.time == end:
            assert action == "STOP" or bracket._halves == 0
            trial.status = "TERMINATED"
            bracket._live_trials.pop(trial, None)
            ours.ended(chosen)
            continue
        assert decision is Decision.PAUSE
        paused.add(chosen)
        trial.status = {"STOP": "TERMINATED", "PAUSE": "PAUSED", "CONTINUE": "RUNNING"}[action]
    assert not promotable(ours, paused)


class Reference:
    """The rule in words, from all that has happened, one bracket after the other."""

    def __init__(self, sizes: list[int], rungs: list[list[int]], factor: int) -> None:
        self.sizes, self.rungs, self.factor = sizes, rungs, factor
        self.created: list[str] = []
        self.ended: set[str] = set()
        self.scores: dict[tuple[str, int], float] = {}  # trial, rung -> less is better

    def chunks(self) -> Iterator[tuple[list[str], int, list[int]]]:
        start = 0
        for size, rungs in itertools.cycle(zip(self.sizes, self.rungs, strict=True)):
            if start >= len(self.created):
                return
            yield self.created[start : start + size], size, rungs
            start += size

    def next_rung(self, trial: str) -> int | None:
        """None: its end."""
        for members, _, rungs in self.chunks():
            if trial in members:
                return next((r for r in rungs if (trial, r) not in self.scores), None)
        raise AssertionError(trial)

    def may_go_on(self, *, more: bool) -> set[str]:
        """Who has earned the way to its next rung, or to its end, and has not gone it."""
        found: set[str] = set()
        for members, size, rungs in self.chunks():
            cohort, places = members, len(members)
            for number, rung in enumerate(rungs):
                known = {t: self.scores[t, rung] for t in cohort if (t, rung) in self.scores}
                if set(cohort) - set(known) - self.ended or (more and len(members) < size):
                    break
                places = math.ceil(Fraction(places, self.factor))
                left = [t for t in known if known[t] < math.inf]
                cohort = sorted(left, key=lambda t: (known[t], t))[:places]
                later = rungs[number + 1 : number + 2]
                found |= {t for t in cohort if not later or (t, later[0]) not in self.scores}
        return found


@settings(deadline=None, max_examples=200)
@example(2, 2, 3, 69553125)  # a tie at a later rung
@given(st.integers(2, 3), st.integers(1, 2), st.integers(0, 20), st.integers(0, 10**9))
def test_failures_and_restarts_change_no_decision(
    factor: int, num_rungs: int, num_trials: int, seed: int
) -> None:
    """Trials are created, arrive, fail, or arrive without a number, in any order; the scheduler is
    rebuilt from the log at any time. At the end nobody waits for what will never come."""
    rng = random.Random(seed)
    grace, end = 2, 2 * factor**num_rungs
    ladder = [grace * factor**k for k in range(num_rungs)]
    halvings = list(range(num_rungs, -1, -1))
    sizes = [math.ceil(Fraction((num_rungs + 1) * factor**s, s + 1)) for s in halvings]
    reference = Reference(sizes, [ladder[b:] for b in range(num_rungs + 1)], factor)
    log: list[tuple[Any, ...]] = []
    ours = Hyperband(grace, factor)
    under_way: dict[str, int | None] = {}
    paused: set[str] = set()

    def tell(scheduler: Hyperband, name: str, *arguments: Any) -> Any:
        return getattr(scheduler, name)(*arguments)

    def note(*entry: Any) -> Any:
        log.append(entry)
        return tell(ours, *entry)

    while True:
        more = len(reference.created) < num_trials
        earned = promotable(ours, paused, more=more)
        assert earned == reference.may_go_on(more=more) & paused
        if not (more or under_way or earned):
            break
        what = rng.choice(
            ["create"] * more + ["promote"] * bool(earned) + ["arrive"] * 2 * bool(under_way)
            + ["fail"] * bool(under_way) + ["restart"]
        )  # fmt: skip
        if what == "create":
            trial = f"{len(reference.created):04d}"
            reference.created.append(trial)
            note("added", trial, end)
            under_way[trial] = reference.next_rung(trial)
        elif what == "promote":
            promotion = ours.promotion(paused, more=more)
            note("promote", promotion)
            paused.remove(promotion.trial_id)
            under_way[promotion.trial_id] = reference.next_rung(promotion.trial_id)
        elif what == "restart":
            ours = Hyperband(grace, factor)
            for entry in log:
                tell(ours, *entry)
        else:
            trial = rng.choice(sorted(under_way))
            rung = under_way.pop(trial)
            value = rng.choice([rng.random(), rng.random(), 0.5, math.nan, None])
            if what == "fail" or rung is None:
                if what != "fail":
                    note("report", trial, end, value, end)
                reference.ended.add(trial)
                note("ended", trial)
                continue
            verdict = note("report", trial, rung, value, end)
            finite = value is not None and math.isfinite(value)
            assert verdict.rung == rung
            assert verdict.decision is (Decision.PAUSE if finite else Decision.STOP)
            reference.scores[trial, rung] = value if finite else math.inf
            if finite:
                paused.add(trial)
            else:
                reference.ended.add(trial)
                note("ended", trial)
    assert len(reference.created) == num_trials


def run(ours: Hyperband, trial_id: str, times: Iterable[int], value: float) -> Decision:
    for time in times:
        decision = ours.report(trial_id, time, value, 16).decision
    return decision


def test_brackets_are_those_of_the_paper() -> None:
    """Li et al., table 1: R = 81, reduction factor 3."""
    ours = Hyperband(1, 3)
    for number in range(81 + 34 + 15 + 8 + 5):
        ours.added(str(number), 81)
    assert [(b.size, b.rungs[:1]) for b in ours.brackets] == [
        (81, [1]), (34, [3]), (15, [9]), (8, [27]), (5, []),
    ]  # fmt: skip
    ours.added("next", 81)
    assert ours.brackets[-1].size == 81


def test_one_bracket_is_successive_halving() -> None:
    ours = Hyperband(1, 3, brackets=1)
    for number in range(82):
        ours.added(str(number), 81)
    assert [bracket.size for bracket in ours.brackets] == [81, 81]


def test_a_bracket_that_is_not_full_waits_for_more_and_is_closed_by_its_first_promotion() -> None:
    ours = Hyperband(4, 2)  # brackets of 4 (rungs 4, 8), 3 and 3
    for trial_id, value in (("a", 2.0), ("b", 1.0)):
        ours.added(trial_id, 16)
        assert run(ours, trial_id, [2, 4], value) is Decision.PAUSE
    assert ours.promotion({"a", "b"}, more=True) is None
    assert ours.promotion({"a", "b"}, more=False) == Promotion("b", 4)
    assert ours.promotion({"a", "b"}, more=True) is None, "to ask changes nothing"
    ours.promote(Promotion("b", 4))
    ours.added("c", 16)  # the sweep has been made longer meanwhile
    assert ours.bracket_of["c"] is not ours.bracket_of["b"]


def test_the_favourite_runs_to_its_end() -> None:
    """All who were ahead of it have failed."""
    ours = Hyperband(4, 2, brackets=1)
    for trial_id, value in (("a", 4.0), ("b", 1.0), ("c", 2.0), ("d", 3.0)):
        ours.added(trial_id, 16)
        run(ours, trial_id, [4], value)
    for trial_id in "bc":
        ours.promote(Promotion(trial_id, 4))
        ours.ended(trial_id)
    assert ours.promotion({"a", "d"}, more=False) is None
    assert ours.favourite({"a", "d"}) == Promotion("d", 4)
    ours.promote(Promotion("d", 4))
    assert run(ours, "d", [8, 12], 3.0) is Decision.CONTINUE


def test_a_report_that_jumps_over_a_rung_counts_at_both() -> None:
    """It waits at the lower one, and once it has earned more it is at the higher one already."""
    ours = Hyperband(4, 2, brackets=1)
    for trial_id, time, value in (("a", 9, 1.0), ("b", 4, 2.0), ("c", 4, 3.0), ("d", 4, 4.0)):
        ours.added(trial_id, 16)
        assert run(ours, trial_id, [time], value) is Decision.PAUSE
    assert promotable(ours, "abcd") == {"b"}
    ours.promote(Promotion("b", 4))
    run(ours, "b", [8], 2.0)
    assert ours.promotion("abcd") == Promotion("a", 8)


def test_a_failed_trial_that_comes_back_too_late_stops_at_its_next_rung() -> None:
    ours = Hyperband(4, 2, brackets=1)
    for trial_id in "abcd":
        ours.added(trial_id, 16)
    ours.ended("a")
    for trial_id, value in (("b", 1.0), ("c", 2.0), ("d", 3.0)):
        run(ours, trial_id, [4], value)
    assert run(ours, "a", [4], 0.0) is Decision.STOP


def test_a_failed_trial_that_comes_back_in_time_counts_again() -> None:
    ours = Hyperband(4, 2, brackets=1)
    for trial_id in "abcd":
        ours.added(trial_id, 16)
    run(ours, "a", [2], 0.0)
    ours.ended("a")
    assert run(ours, "a", [4], 0.0) is Decision.PAUSE
    for trial_id, value in (("b", 1.0), ("c", 2.0), ("d", 3.0)):
        run(ours, trial_id, [4], value)
    assert promotable(ours, "abcd") == {"a", "b"}


@pytest.mark.parametrize(("grace", "factor", "brackets"), [(0, 2, 1), (4, 1, None), (4, 2, 0)])
def test_refuses_settings_that_make_no_rungs(grace: int, factor: int, brackets: int | None) -> None:
    with pytest.raises(ValueError, match=f"got {grace}, {factor} and {brackets}"):
        Hyperband(grace, factor, brackets=brackets)
