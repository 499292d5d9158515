"""Responses and the edges of the space."""

import math
from dataclasses import replace

import pytest

from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.response import Response, responses_of
from sweeper.analysis.summary.summarising import summarise
from sweeper.record.state.arrivals import Arrival
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, SIZE, by_rate, seeded, sweep_of


def respond(sweep: SweepData, name: str = "learning_rate") -> Response:
    return {r.parameter.name: r for r in responses_of(sweep, levels_of(sweep))}[name]


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


def test_no_length_is_the_best_of_all() -> None:
    lengths = (600, 1200, 1800, 2400)
    swept = Parameter(name="max_steps", scale="linear", options=lengths, low=600, high=2400)
    trials = [
        replace(trial, point={"max_steps": steps})
        for trial, steps in zip(
            by_rate({1e-4: 4.0, 1e-3: 3.0, 1e-2: 2.0, 1e-1: 1.0}), lengths, strict=True
        )
    ]
    summary = summarise(sweep_of(trials, [swept]))
    assert (summary.optima, respond(summary.sweep, "max_steps").edges) == ((), ())
    assert not {"edge", "few"} & {remark.kind for remark in remarks_of(summary)}


@pytest.mark.parametrize(("rate", "sides"), [(1.1e-4, ["low"]), (2e-3, []), (9.5e-2, ["high"])])
def test_near_the_end_of_a_range_is_at_its_edge(rate: float, sides: list[str]) -> None:
    ranged = Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1)
    trials = by_rate({rate: 1.0, 1e-3: 2.0, 1e-2: 3.0})
    assert [edge.side for edge in respond(sweep_of(trials, [ranged])).edges] == sides


def test_a_curve_for_each_size() -> None:
    small = by_rate({1e-4: 2.0, 1e-3: 1.0, 1e-2: 2.0}, size="small")
    large = [
        replace(t, trial_id=f"l{t.trial_id}")
        for t in by_rate({1e-3: 2.0, 1e-2: 1.0, 1e-1: 2.0}, size="large")
    ]
    response = respond(sweep_of([*small, *large], [LEARNING_RATE, SIZE]))
    assert response.grouped_by == "size"
    assert [curve.group for curve in response.curves] == ["small", "large"]


def test_a_number_on_which_the_size_depends_is_a_size() -> None:
    width = Parameter(name="d_model", scale="log", options=(64, 128), changes_size=True)
    kind = Parameter(name="kind", scale="category", options=("a", "b"))
    trials = by_rate({1e-3: 2.0, 1e-2: 1.0}, d_model=64, kind="a")
    sweep = sweep_of(trials, [LEARNING_RATE, kind, width])
    assert respond(sweep).grouped_by == "d_model"
    assert respond(sweep, "d_model").grouped_by is None


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
