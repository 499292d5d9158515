"""Where points end: measured, forecast, expected."""

import math
from dataclasses import replace
from typing import Any

import pytest

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.summary.ends import MOST_ON_SURFACE, ends_of, expected_of, surface_of
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of, trial


def test_what_was_stopped_ends_where_it_is_forecast() -> None:
    stopped = trial("s", {"learning_rate": 1e-1}, 5.0, status=Status.STOPPED)
    forecast = replace(stopped, forecast=Forecast(2.5, 0.1))
    sweep = sweep_of([*by_rate({1e-3: 2.0}), stopped, forecast])
    measured, expected = ends_of(sweep)
    assert (measured.value, measured.measured) == (2.0, True)
    assert (expected.value, expected.deviation, expected.measured) == (2.5, 0.1, False)


def test_the_deviation_of_a_mean_is_that_of_its_seeds() -> None:
    trials = seeded({1e-3: [1.0, 1.2], 1e-2: [2.2, 2.0]})
    more = trial("m", {"learning_rate": 1e-2}, 3.0, status=Status.STOPPED, seed=2)
    first, second = ends_of(sweep_of([*trials, replace(more, forecast=Forecast(2.4, 0.3))]))
    noise = 0.2  # of sixteen hundredths' squares with one degree of freedom
    assert first.deviation == pytest.approx(noise / math.sqrt(2))
    assert second.value == pytest.approx(2.2)
    assert second.deviation == pytest.approx(math.sqrt(2 * noise**2 + 0.09) / 3)


def test_what_a_seed_does_to_all_alike_is_in_no_end() -> None:
    """Seed 1 is bad for all; one of them was not run with it."""
    losses = {1e-4: [3.0, 4.01], 1e-3: [2.0, 3.0], 1e-2: [2.5, 3.5], 1e-1: [4.0]}
    ends = ends_of(sweep_of(seeded(losses)))
    assert [end.value for end in ends] == pytest.approx([3.505, 2.5, 3.0, 4.5], abs=0.01)
    assert all(0 < end.deviation < 0.01 for end in ends)


def test_of_a_seed_that_no_other_had_the_shift_is_unsure() -> None:
    """Seeds 0 and 1 lie a unit apart at all points, and so may seed 9."""
    losses = {1e-4: [3.0, 4.01], 1e-3: [2.0, 3.0], 1e-2: [2.5, 3.5]}
    alone = trial("a", {"learning_rate": 1e-1}, 3.0, seed=9)
    ends = ends_of(sweep_of([*seeded(losses), alone]))
    assert all(end.deviation < 0.01 for end in ends[:3])
    assert ends[3].deviation == pytest.approx(math.sqrt(0.5), rel=0.02)


@pytest.mark.parametrize(("mode", "worst"), [("min", 3.0), ("max", 2.0)])
def test_what_diverged_is_as_bad_as_the_worst(mode: str, worst: float) -> None:
    diverged = trial("d", {"learning_rate": 1e-1}, None, status=Status.DIVERGED)
    ends = ends_of(sweep_of([*by_rate({1e-3: 2.0, 1e-2: 3.0}), diverged], mode=mode))
    assert ends[-1].value == worst


def test_of_points_that_a_model_did_not_choose_it_is_said_what_is_expected(tiny_plan: Any) -> None:
    rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
    space = {"learning_rate": {"grid": rates}}
    spec = tiny_plan(space=space, search={"algorithm": "model"}).spec
    run = {lr: 2 + 0.1 * math.log10(lr / 1e-3) ** 2 for lr in (1e-4, 1e-3, 3e-3, 1e-2)}
    sweep = sweep_of(by_rate(run), spec=spec)
    sweep = replace(sweep, parameters=(replace(sweep.parameters[0], options=tuple(rates)),))
    expected = expected_of(sweep, ends_of(sweep))
    assert [end.point["learning_rate"] for end in expected] == [3e-4, 3e-2]
    assert expected[0].value == pytest.approx(2.02, abs=0.05)
    assert all(end.deviation > 0 for end in expected)
    grid = replace(sweep, spec=tiny_plan(space=space).spec)
    assert expected_of(grid, ends_of(grid)) == (), "of a grid all will run"


def test_of_thousands_of_points_the_best_and_some_of_the_others_make_the_surface() -> None:
    rates = {1e-4 * 1.003**k: 2 + 0.1 * abs(math.log2(1e-4 * 1.003**k / 1e-3)) for k in range(2000)}
    sweep = sweep_of(by_rate(rates))
    surface = surface_of(sweep, ends_of(sweep))
    assert len(surface.finals) <= MOST_ON_SURFACE
    tried = [final.point["learning_rate"] for final in surface.finals]
    best = sorted(rates, key=rates.__getitem__)
    assert set(best[: MOST_ON_SURFACE // 2]) <= set(tried)
    assert max(tried) > 0.9 * max(rates), "what is far off says where the best is not"
