"""The points that a sweep tries: those that its constraints admit, in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.plan.points import NoPointError, draw, num_trials, with_seeds
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec


def spec(**sections: Any) -> SweepSpec:
    return SweepSpec.model_validate({"name": "x", "train": {"num_heads": 1}, **sections})


def divides(point: Point) -> bool:
    return point["d_model"] % point["num_heads"] == 0  # type: ignore[operator]


def test_a_grid_loses_what_is_ruled_out_and_keeps_the_order_of_the_rest() -> None:
    space = {"d_model": {"grid": [8, 12, 16]}, "num_heads": {"grid": [2, 4, 6]}}
    every = draw(spec(space=space))
    some = draw(spec(space=space, constraints=[{"divides": ["num_heads", "d_model"]}]))
    assert (every.dropped, some.dropped) == (0, 2)  # six heads of 8 and 16
    assert some.points == [point for point in every.points if divides(point)]


def warms_up(point: Point) -> bool:
    return point["warmup_steps"] < point["max_steps"]  # type: ignore[operator]


@given(st.integers(0, 2**40), st.integers(1, 8))
def test_random_draws_that_are_ruled_out_are_drawn_again(seed: int, number: int) -> None:
    stated: dict[str, Any] = {
        "space": {"warmup_steps": {"randint": [0, 99]}, "max_steps": {"randint": [1, 100]}},
        "constraints": [{"less": ["warmup_steps", "max_steps"]}],
    }
    search = {"algorithm": "random", "seed": seed, "num_trials": number}
    drawn = draw(spec(**stated, search=search))
    assert all(map(warms_up, drawn.points))
    more = draw(spec(**stated, search={**search, "num_trials": number + 2}))
    assert more.points[:number] == drawn.points
    kept = [
        point
        for point in draw(spec(space=stated["space"], search=search)).points
        if warms_up(point)
    ]
    assert set(map(str, kept)) <= set(map(str, drawn.points))
    assert (drawn.dropped == 0) == (len(kept) == number)


def test_defaults_and_derived_values_are_constrained_as_any_setting() -> None:
    stated: dict[str, Any] = {
        "train": {"min_learning_rate": {"times": 0.5, "of": "learning_rate"}},
        "space": {"learning_rate": {"grid": [0.1, 0.2]}},
    }
    drawn = draw(spec(**stated, constraints=[{"at_most": ["min_learning_rate", 0.06]}]))
    assert drawn.points == [{"learning_rate": 0.1}]
    drawn = draw(spec(**stated, constraints=[{"less": [511, "d_model"]}]))
    assert (len(drawn.points), drawn.dropped) == (2, 0)  # d_model is 512


def test_decimals_are_compared_and_derived_as_they_are_written() -> None:
    tenths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    space: dict[str, Any] = {"weight_decay": {"grid": [*tenths, 0.25]}}
    drawn = draw(spec(space=space, constraints=[{"divides": [0.1, "weight_decay"]}]))
    assert sorted(float(str(point["weight_decay"])) for point in drawn.points) == tenths
    stated: dict[str, Any] = {
        "train": {"weight_decay": {"times": 3, "of": "learning_rate"}},
        "space": {"learning_rate": {"grid": [0.1, 0.2]}},
    }
    drawn = draw(spec(**stated, constraints=[{"at_most": ["weight_decay", 0.3]}]))
    assert drawn.points == [{"learning_rate": 0.1}]


@pytest.mark.parametrize("search", [{}, {"algorithm": "random", "num_trials": 2}])
def test_where_nothing_is_admitted_there_is_no_point(search: dict[str, Any]) -> None:
    stated = {"space": {"d_ff": {"grid": [8, 16]}}, "constraints": [{"less": ["d_ff", 8]}]}
    with pytest.raises(NoPointError, match=r"none of (2 combinations|1,000 random draws in a row)"):
        draw(spec(**stated, search=search))


def test_every_seed_of_a_point_comes_before_the_next_point() -> None:
    space: dict[str, Any] = {"d_ff": {"grid": [8, 16]}}
    seeded = spec(space=space, seeds=[3, 1])
    points = draw(seeded).points
    assert len(points) == 2
    values = with_seeds(seeded, points)
    assert values == [point | {"seed": seed} for point in points for seed in (3, 1)]
    assert num_trials(seeded) == 4
    assert num_trials(spec(space=space)) == 2
    random = {"algorithm": "random", "num_trials": 7}
    assert num_trials(spec(space=space, search=random, seeds=[1, 2])) == 14
