"""The median rule beside Tune's MedianStoppingRule."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.status import Decision
from sweeper.strategy.schedulers.median import Median
from sweeper.strategy.schedulers.scheduler import Verdict

Reports = list[tuple[str, int, float | None]]
# Multiples of 1/64: sums and means of a few are exact in Tune's floats too.
exact = st.integers(-64, 64).map(lambda n: n / 64)


@st.composite
def report_sequences(draw: st.DrawFn, values: st.SearchStrategy[Any] = exact) -> Reports:
    reports: Reports = []
    steps: dict[str, int] = {}
    for _ in range(draw(st.integers(0, 40))):
        trial = draw(st.sampled_from("abcdef"))
        steps[trial] = steps.get(trial, 0) + draw(st.integers(1, 3))
        reports.append((trial, steps[trial], draw(values)))
    return reports


@given(report_sequences(), st.integers(1, 6), st.integers(1, 4), st.sampled_from(["min", "max"]))
def test_decides_as_tune_does(reports: Reports, grace: int, min_trials: int, mode: Any) -> None:
    from ray.tune.schedulers import MedianStoppingRule

    tune = MedianStoppingRule(
        time_attr="time",
        metric="value",
        mode=mode,
        grace_period=grace,
        min_samples_required=min_trials,
    )
    ours = Median(grace, min_trials, objective=mode)
    controller: Any = type("Controller", (), {"get_live_trials": lambda self: []})()
    trials = {name: type("Trial", (), {"trial_id": name})() for name in "abcdef"}
    stopped: set[str] = set()
    for name, time, value in reports:
        if name in stopped:
            continue
        action = tune.on_trial_result(controller, trials[name], {"time": time, "value": value})
        decision = ours.report(name, time, value, 1000).decision
        assert decision is (Decision.STOP if action == "STOP" else Decision.CONTINUE)
        stopped |= {name} if decision is Decision.STOP else set()


any_value = st.one_of(exact, st.sampled_from([math.nan, math.inf, -math.inf]), st.none())


@given(report_sequences(any_value), st.integers(1, 6), st.integers(0, 40))
def test_what_is_no_number_stops_and_counts_in_no_mean(
    reports: Reports, grace: int, cut: int
) -> None:
    """And a restart in between changes nothing."""
    ours, without, restarted = (Median(grace, 2) for _ in range(3))
    verdicts: list[Verdict] = []
    for name, time, value in reports:
        verdicts.append(ours.report(name, time, value, 1000))
        if value is None or not math.isfinite(value):
            assert verdicts[-1].decision is (Decision.STOP if time >= grace else Decision.CONTINUE)
            without.curves.setdefault(name, type(ours.curves[name])()).last_time = time
        else:
            assert verdicts[-1] == without.report(name, time, value, 1000)
    for report in reports[:cut]:
        restarted.report(*report, end=1000)
    assert [restarted.report(*report, end=1000) for report in reports[cut:]] == verdicts[cut:]


@pytest.mark.parametrize("value", [0.1, 0.7, 1 / 3, 2.9])
def test_equal_trials_all_go_on(value: float) -> None:
    """Rounding a mean must not make it worse, or better, than the equal values it is of."""
    rule = Median(1, 1)
    for time in range(1, 50):
        for name in "abcd":
            assert rule.report(name, time, value, 1000).decision is Decision.CONTINUE


def test_needs_enough_others() -> None:
    rule = Median(2, 2)
    for name in "abc":
        rule.report(name, 1, 3.0, 100)
    assert rule.report("a", 2, 1.0, 100) == Verdict(Decision.CONTINUE)
    assert rule.report("b", 2, 9.0, 100) == Verdict(Decision.CONTINUE)
    assert rule.report("c", 2, 2.0, 100) == Verdict(Decision.CONTINUE, rank=2, of=3)
    assert rule.report("d", 3, 2.0, 100) == Verdict(Decision.CONTINUE)


@pytest.mark.parametrize(("grace", "min_trials"), [(0, 3), (4, 0)])
def test_refuses_settings_that_make_no_rule(grace: int, min_trials: int) -> None:
    with pytest.raises(ValueError, match=f"got {grace} and {min_trials}"):
        Median(grace, min_trials)
