"""ASHA against a slow reference that recomputes every decision from the whole history."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.status import Decision
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.scheduler import Fifo, Promotion

Reports = list[tuple[str, int, float | None]]


def reference_decisions(reports: Reports, grace: int, factor: int, max_steps: int) -> list[str]:
    """ASHA's stopping rule, word for word, from the list of all reports up to each one."""
    decisions = []
    for now in range(len(reports)):
        trial, step, _ = reports[now]
        rungs = [grace * factor**k for k in range(64) if grace * factor**k < max_steps]
        earlier = [s for t, s, _ in reports[:now] if t == trial]
        crossed = [r for r in rungs if max(earlier, default=0) < r <= step]
        if not crossed:
            decisions.append("continue")
            continue
        rung = max(crossed)
        at_rung: list[tuple[float, int]] = []  # (value, arrival); a trial arrives once
        for arrival, (t, s, v) in enumerate(reports[: now + 1]):
            before = [s2 for t2, s2, _ in reports[:arrival] if t2 == t]
            passed = [r for r in rungs if max(before, default=0) < r <= s]
            if passed and max(passed) == rung:
                bad = v is None or not math.isfinite(v)
                at_rung.append((math.inf if bad else v, arrival))
        place = sorted(at_rung).index(next(x for x in at_rung if x[1] == now)) + 1
        kept = math.ceil(Fraction(len(at_rung), factor))
        value = reports[now][2]
        good = value is not None and math.isfinite(value) and place <= kept
        decisions.append("continue" if good else "stop")
    return decisions


@st.composite
def report_sequences(draw: st.DrawFn) -> Reports:
    """Trials that report in any interleaving, each at growing steps, some values missing."""
    values = st.one_of(
        st.floats(-2, 2), st.sampled_from([0.0, 1.0]), st.just(math.nan), st.just(math.inf),
        st.none(),
    )  # fmt: skip
    reports: Reports = []
    steps: dict[str, int] = {}
    for _ in range(draw(st.integers(0, 30))):
        trial = draw(st.sampled_from("abcdefg"))
        steps[trial] = steps.get(trial, 0) + draw(st.integers(1, 9))
        reports.append((trial, steps[trial], draw(values)))
    return reports


@given(report_sequences(), st.integers(1, 4), st.integers(2, 4), st.integers(5, 60))
def test_decides_as_the_rule_says(
    reports: Reports, grace: int, factor: int, max_steps: int
) -> None:
    asha = Asha(grace, factor)
    decisions = [asha.report(t, s, v, max_steps).decision.value for t, s, v in reports]
    assert decisions == reference_decisions(reports, grace, factor, max_steps)


@given(report_sequences(), st.integers(0, 30))
def test_a_restart_in_between_changes_nothing(reports: Reports, cut: int) -> None:
    """The state is a fold: a new object given the same past decides the same future."""
    straight, restarted = Asha(2, 2), Asha(2, 2)
    verdicts = [straight.report(t, s, v, 40) for t, s, v in reports]
    for t, s, v in reports[:cut]:
        restarted.report(t, s, v, 40)
    assert [restarted.report(t, s, v, 40) for t, s, v in reports[cut:]] == verdicts[cut:]


@given(report_sequences())
def test_maximising_is_minimising_the_negative(reports: Reports) -> None:
    low, high = Asha(2, 2), Asha(2, 2, objective="max")
    for t, s, v in reports:
        negative = None if v is None else -v
        assert low.report(t, s, v, 40) == high.report(t, s, negative, 40)


def test_where_none_has_earned_it_the_best_of_the_highest_rung_is_the_favourite() -> None:
    asha = Asha(2, 4, form="promote")
    for trial_id, value in (("a", 2.0), ("b", 1.0)):
        asha.report(trial_id, 2, value, 100)
    assert asha.promotion({"a", "b"}) is None
    assert asha.favourite({"a", "b"}) == Promotion("b", 2)
    assert asha.favourite(set()) is None


def test_rungs_are_exact_integers() -> None:
    # In floating point 3 ** (log(243) / log(3)) falls short of 243, and Tune loses that rung.
    asha = Asha(1, 3)
    assert [asha.brackets[0].highest_rung(s) for s in (0, 1, 2, 3, 80, 81, 242, 243)] == [
        None, 1, 1, 3, 27, 81, 81, 243,
    ]  # fmt: skip


def test_the_end_of_training_is_no_rung() -> None:
    asha = Asha(4, 2)
    assert asha.report("a", 8, 1.0, end=8).rung == 4


def test_the_best_of_two_goes_on() -> None:
    asha = Asha(10, 2)
    first = asha.report("a", 10, 2.0, 100)
    worse = asha.report("b", 10, 3.0, 100)
    better = asha.report("c", 10, 1.0, 100)
    assert (first.decision, first.rank, first.of) == (Decision.CONTINUE, 1, 1)
    assert (worse.decision, worse.rank, worse.of) == (Decision.STOP, 2, 2)
    assert (better.decision, better.rank, better.of) == (Decision.CONTINUE, 1, 3)


def test_a_tie_ranks_behind_those_before_it() -> None:
    asha = Asha(10, 2)
    asha.report("a", 10, 2.0, 100)
    assert asha.report("b", 10, 2.0, 100).rank == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_stops_at_its_rung_even_when_first(value: float | None) -> None:
    asha = Asha(10, 2)
    assert asha.report("a", 10, value, 100).decision is Decision.STOP
    assert asha.report("b", 10, 5.0, 100).decision is Decision.CONTINUE


def test_a_lower_rung_is_never_filled_in_later() -> None:
    """Tune records the late steps of a resumed trial in the rungs below: the bug in its ASHA."""
    asha = Asha(1, 3)
    assert asha.report("resumed", 13, 0.1, 100).rung == 9
    assert asha.report("resumed", 14, 0.05, 100).rung is None
    assert asha.brackets[0].rungs.keys() == {9}
    assert asha.report("fresh", 1, 5.0, 100).decision is Decision.CONTINUE


@given(report_sequences(), st.integers(1, 4), st.integers(2, 3), st.integers(1, 3))
def test_each_bracket_is_an_asha_of_its_own(
    reports: Reports, grace: int, factor: int, number: int
) -> None:
    together = Asha(grace, factor, brackets=number)
    alone = [Asha(grace * factor**s, factor) for s in range(number)]
    costs = [factor**s * (number - s) for s in range(number)]
    given_to = [0] * number  # budget
    bracket_of: dict[str, int] = {}
    for t, s, v in reports:
        if t not in bracket_of:
            bracket_of[t] = min(range(number), key=lambda b: given_to[b] + costs[b])
            given_to[bracket_of[t]] += costs[bracket_of[t]]
        assert together.report(t, s, v, 60) == alone[bracket_of[t]].report(t, s, v, 60)


def test_brackets_share_the_budget_evenly() -> None:
    asha = Asha(1, 3, brackets=3)
    for number in range(1000):
        asha.report(str(number), 1, 1.0, 100)
    budgets = [3 * 1 * asha.members[0], 2 * 3 * asha.members[1], 1 * 9 * asha.members[2]]
    assert sum(asha.members) == 1000
    assert max(budgets) - min(budgets) <= 9


def test_promotes_in_every_bracket_from_the_highest_rung_down() -> None:
    asha = Asha(2, 2, form="promote", brackets=2)  # members: a, b in bracket 0 and 1, by turns
    for trial_id, value in (("a", 1.0), ("b", 3.0), ("c", 2.0), ("d", 4.0)):
        for step in (2, 4):
            if asha.report(trial_id, step, value, 100).decision is Decision.PAUSE:
                break
    assert [b.rungs for b in asha.brackets] == [
        {2: {"a": 1.0, "c": 2.0}},
        {4: {"b": 3.0, "d": 4.0}},
    ]
    first = asha.promotion({"a", "b", "c", "d"})
    assert first == Promotion("b", 4)
    asha.promote(first)
    assert asha.promotion({"a", "c", "d"}) == Promotion("a", 2)


def test_fifo_lets_all_run() -> None:
    assert Fifo().report("a", 10, None, 100).decision is Decision.CONTINUE


@pytest.mark.parametrize(("grace", "factor"), [(0, 2), (4, 1)])
def test_refuses_settings_that_make_no_rungs(grace: int, factor: int) -> None:
    with pytest.raises(ValueError, match=f"got {grace}, {factor} and 1"):
        Asha(grace, factor)
