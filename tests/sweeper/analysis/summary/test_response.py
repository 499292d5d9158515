"""Responses, their optima and the edges of the space."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.response import Response, parabola_vertex, responses_of
from sweeper.record.state.arrivals import Arrival
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, SIZE, by_rate, seeded, sweep_of


def respond(sweep: SweepData, name: str = "learning_rate") -> Response:
    return {r.parameter.name: r for r in responses_of(sweep, levels_of(sweep))}[name]


@given(
    st.lists(st.integers(-50, 50), min_size=3, max_size=3, unique=True),
    st.lists(st.integers(-50, 50), min_size=3, max_size=3),
)
def test_the_vertex_is_that_of_numpys_fit(xs: list[int], ys: list[int]) -> None:
    points = sorted(zip(xs, ys, strict=True))
    a, b, c = np.polyfit([x for x, _ in points], [y for _, y in points], 2)
    vertex = parabola_vertex(points)
    assume(abs(a) > 1e-3 or vertex is None)
    if vertex is None:
        assert abs(a) < 1e-9
    else:
        assert vertex == pytest.approx((-b / (2 * a), c - b**2 / (4 * a)), rel=1e-4, abs=1e-4)


def test_a_parabola_in_log_learning_rate_is_found_exactly_between_the_grid() -> None:
    best = 2.5e-3
    loss = {lr: 1 + math.log10(lr / best) ** 2 for lr in (1e-4, 1e-3, 1e-2, 1e-1)}
    [curve] = respond(sweep_of(by_rate(loss))).curves
    assert curve.optimum is not None
    assert curve.optimum.interpolated
    assert curve.optimum.x == pytest.approx(best)
    assert curve.optimum.value == pytest.approx(1.0)


def test_where_larger_is_better_the_vertex_is_the_top() -> None:
    loss = {lr: 5 - math.log10(lr / 2e-3) ** 2 for lr in (1e-4, 1e-3, 1e-2, 1e-1)}
    [curve] = respond(sweep_of(by_rate(loss), mode="max")).curves
    assert curve.optimum is not None
    assert curve.optimum.x == pytest.approx(2e-3)


def test_at_the_end_of_a_curve_nothing_is_interpolated() -> None:
    [curve] = respond(sweep_of(by_rate({1e-4: 3.0, 1e-3: 2.0, 1e-2: 1.0}))).curves
    assert curve.optimum is not None
    assert (curve.optimum.x, curve.optimum.interpolated) == (1e-2, False)


def test_the_best_at_an_end_of_the_space_warns() -> None:
    response = respond(sweep_of(by_rate({1e-3: 3.0, 1e-2: 2.0, 1e-1: 1.0})))
    [edge] = response.edges
    assert (edge.name, edge.side, edge.bound) == ("learning_rate", "high", 1e-1)
    assert respond(sweep_of(by_rate({1e-3: 3.0, 1e-2: 1.0, 1e-1: 2.0}))).edges == ()


def test_the_end_of_those_tried_is_no_edge_while_the_space_goes_on() -> None:
    assert respond(sweep_of(by_rate({1e-3: 3.0, 1e-2: 2.0}))).edges == ()


def test_no_run_can_warm_up_for_less_than_nothing() -> None:
    warmup = Parameter(
        name="warmup_steps", scale="linear", options=(0, 10, 20), low=0, high=20, least=0
    )
    trials = [
        replace(t, point={"warmup_steps": w})
        for t, w in zip(by_rate({1e-4: 1.0, 1e-3: 2.0, 1e-2: 3.0}), (0, 10, 20), strict=True)
    ]
    assert respond(sweep_of(trials, [warmup]), "warmup_steps").edges == ()


@pytest.mark.parametrize(("rate", "sides"), [(1.1e-4, ["low"]), (2e-3, []), (9.5e-2, ["high"])])
def test_near_the_end_of_a_range_is_at_its_edge(rate: float, sides: list[str]) -> None:
    ranged = Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1)
    trials = by_rate({rate: 1.0, 1e-3: 2.0, 1e-2: 3.0})
    assert [edge.side for edge in respond(sweep_of(trials, [ranged])).edges] == sides


def test_a_curve_per_size_each_with_its_own_optimum() -> None:
    small = by_rate({1e-4: 2.0, 1e-3: 1.0, 1e-2: 2.0}, size="small")
    large = [
        replace(t, trial_id=f"l{t.trial_id}")
        for t in by_rate({1e-3: 2.0, 1e-2: 1.0, 1e-1: 2.0}, size="large")
    ]
    response = respond(sweep_of([*small, *large], [LEARNING_RATE, SIZE]))
    assert response.grouped_by == "size"
    optima = {c.group: c.optimum.x for c in response.curves if c.optimum}
    assert optima == {"small": pytest.approx(1e-3), "large": pytest.approx(1e-2)}


def test_a_curve_is_at_its_best_over_the_other_settings() -> None:
    trials = [
        *by_rate({1e-3: 2.0, 1e-2: 3.0}, size="small"),
        *[
            replace(t, trial_id=f"l{t.trial_id}")
            for t in by_rate({1e-3: 1.0, 1e-2: 4.0}, size="large")
        ],
    ]
    response = respond(sweep_of(trials, [LEARNING_RATE, SIZE]), "size")
    [curve] = response.curves
    assert [(s.x, s.value) for s in curve.samples] == [("small", 2.0), ("large", 1.0)]


def test_seeds_are_averaged_and_their_spread_kept() -> None:
    [curve] = respond(sweep_of(seeded({1e-3: [1.0, 3.0], 1e-2: [4.0]}))).curves
    assert [(s.value, s.deviation) for s in curve.samples] == [
        (2.0, pytest.approx(math.sqrt(2))),
        (4.0, None),
    ]


def test_trials_are_compared_at_the_rungs_and_at_the_end_never_across() -> None:
    trials = [*by_rate({1e-3: 1.0}), *by_rate({1e-2: 0.5}, Status.STOPPED)]
    arrivals = tuple(
        Arrival(rung=4, trial_id=t.trial_id, step=4, value=value, kept=kept)
        for t, value, kept in zip(trials, (2.0, 3.0), (True, False), strict=True)
    )
    at_rung, at_end = respond(sweep_of(trials, arrivals=arrivals)).curves
    assert (at_rung.level.rung, [s.value for s in at_rung.samples]) == (4, [2.0, 3.0])
    assert (at_end.level.is_end, [s.value for s in at_end.samples]) == (True, [1.0])


def test_without_rungs_or_an_end_the_step_that_most_reached_counts() -> None:
    trials = by_rate({1e-3: 1.0, 1e-2: 2.0}, Status.INTERRUPTED)
    [level] = levels_of(sweep_of(trials))
    assert (level.step, len(level.values)) == (4, 2)


def test_a_random_search_over_several_numbers_shows_the_best_of_each_part() -> None:
    ranged = Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1)
    warmup = Parameter(name="warmup_steps", scale="linear", low=0, high=10, least=0)
    trials = by_rate({1.0e-4: 5.0, 1.1e-4: 4.0, 9e-2: 3.0}, warmup_steps=5)
    response = respond(sweep_of(trials, [ranged, warmup]))
    assert response.binned
    [curve] = response.curves
    assert [(s.x, s.value) for s in curve.samples] == [(1.1e-4, 4.0), (9e-2, 3.0)]
    assert curve.optimum is not None
    assert not curve.optimum.interpolated
