"""The surface: finals in, what they say of other points out."""

import math

import numpy as np
import pytest

from sweeper.spec.domains.listed import Grid
from sweeper.spec.domains.ranges import Uniform
from sweeper.spec.points import Point
from sweeper.strategy.surface.axes import Axes
from sweeper.strategy.surface.surface import Final, Surface

RATES = [1e-4 * 2**k for k in range(9)]
AXES = Axes({"learning_rate": Grid(grid=list(RATES))})
THREE = Axes({name: Uniform(uniform=[-1, 1]) for name in "abc"})


def point(k: int) -> Point:
    return {"learning_rate": RATES[k]}


def final(k: int, deviation: float = 0.0) -> Final:
    return Final(point=point(k), value=3 + 0.02 * (k - 4) ** 2, deviation=deviation)


def test_what_is_under_way_is_believed_so_that_the_next_point_lies_elsewhere() -> None:
    surface = Surface(AXES, [final(0), final(2), final(8)])
    alone = surface.expected_improvement([point(4), point(6)])
    beside = surface.believing([point(4)]).expected_improvement([point(4), point(6)])
    assert beside[0] < 0.3 * alone[0]
    assert beside[0] / beside[1] < alone[0] / alone[1]


def test_forecasts_are_in_the_units_of_the_finals() -> None:
    surface = Surface(AXES, [final(k) for k in (0, 1, 3, 5, 7, 8)])
    values, deviations = surface.forecast([point(k) for k in (2, 4, 6)])
    assert values == pytest.approx([3.08, 3.0, 3.08], abs=0.02)
    assert (deviations > 0).all()


def test_a_final_that_is_only_forecast_says_less() -> None:
    sure = Surface(AXES, [final(k) for k in (0, 2, 4, 6, 8)])
    unsure = Surface(AXES, [final(0), final(2), final(4, deviation=0.1), final(6), final(8)])
    assert unsure.forecast([point(4)])[1] > 2 * sure.forecast([point(4)])[1]


def test_the_chance_of_a_better_point_falls_with_what_is_known() -> None:
    others = [point(k) for k in (1, 3, 5, 7)]

    def chance(*known: int) -> float:
        surface = Surface(AXES, [final(k) for k in known])
        return surface.chance_of_better(others, surface.expected_improvement(others))

    assert chance(0) > 0.2
    assert chance(0, 8) > 0.5
    assert chance(0, 2, 3, 4, 5, 6, 8) < 0.05
    assert Surface(AXES, [final(0)]).chance_of_better([], np.empty(0)) == 0.0


def test_the_draws_are_of_the_forecast() -> None:
    surface = Surface(AXES, [final(k) for k in (0, 2, 6, 8)])
    values, weights = surface.draw([point(4), point(5)], 2000)
    assert math.isclose(weights.sum(), 1.0)
    order = np.argsort(values[:, 0])
    median = values[order[np.searchsorted(np.cumsum(weights[order]), 0.5)], 0]
    assert median == pytest.approx(surface.forecast([point(4)])[0][0], abs=0.01)


def bowl(number: int, steep: bool = False) -> list[Final]:
    """Of 40 points over three settings, with noise of 0.01 everywhere."""
    rng = np.random.default_rng(number)
    at = rng.uniform(-1, 1, (40, 3))
    values = (at + 0.2) ** 2 @ [0.5, 0.2, 0.05]
    values = (np.expm1(5 * values) if steep else values) + rng.normal(0, 0.01, 40)
    return [
        Final(point=dict(zip("abc", map(float, x), strict=True)), value=float(value))
        for x, value in zip(at, values, strict=True)
    ]


@pytest.mark.parametrize("steep", [False, True])
def test_a_thorough_surface_is_as_sure_near_the_best_as_it_may_be(steep: bool) -> None:
    surfaces = [Surface(THREE, bowl(number, steep), thorough=True) for number in range(24)]
    assert 0.005 < np.median([surface.noise for surface in surfaces]) < 0.02
    near: list[Point] = [{"a": -0.2, "b": -0.2, "c": c} for c in (-0.6, -0.2, 0.2)]
    truth = 0.05 * np.array([0.4, 0, 0.4]) ** 2
    truth = np.expm1(5 * truth) if steep else truth
    forecasts = [surface.forecast(near) for surface in surfaces]
    errors = [(values - truth) / deviation for values, deviation in forecasts]
    assert 0.7 < np.sqrt(np.mean(np.square(errors))) < 1.3, "in deviations"


def test_a_thorough_surface_takes_the_scale_on_which_the_values_are_smooth() -> None:
    quick, thorough = (Surface(THREE, bowl(0), thorough=t) for t in (False, True))
    assert thorough.spread == 16 * quick.spread
    quick, thorough = (Surface(THREE, bowl(0, steep=True), thorough=t) for t in (False, True))
    assert thorough.spread == quick.spread


def test_noise_that_is_alike_everywhere_is_found_though_the_scale_is_not() -> None:
    """Values from 0 to 20 deviations above the best, of 60 points each."""
    found = []
    for number in range(12):
        rng = np.random.default_rng(number)
        at = rng.uniform(-1, 1, 60)
        values = at**2 + rng.normal(0, 0.05, 60)
        finals = [
            Final(point={"a": float(x)}, value=float(value))
            for x, value in zip(at, values, strict=True)
        ]
        found.append(Surface(Axes({"a": Uniform(uniform=[-1, 1])}), finals).noise)
    assert 0.035 < np.median(found) < 0.07
