"""The swept names in Optuna's terms, and Sobol's points against scipy's."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.stats import qmc

from sweeper.spec.points import Point, fitted
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import OURS
from sweeper.strategy.search.draws import random_points
from sweeper.strategy.search.optuna_axes import SearchAxis, sampler_seed, sobol_points

DOMAINS: dict[str, tuple[str, dict[str, Any]]] = {
    "grid": ("num_layers", {"grid": [4, 2, 6]}),
    "flags": ("compile", {"choice": [True, False]}),
    "bundles": ("size", {"choice": {"s": {"d_ff": 64}, "m": {"d_ff": 128}}}),
    "uniform": ("beta1", {"uniform": [0, 0.95]}),
    "uniform steps": ("weight_decay", {"uniform": [0, 0.35], "step": 0.1}),
    "loguniform": ("learning_rate", {"loguniform": [1e-5, 1e-1]}),
    "loguniform steps": ("beta2", {"loguniform": [0.1, 0.95], "step": 0.1}),
    "randint": ("warmup_steps", {"randint": [0, 7]}),
    "randint steps": ("d_ff", {"randint": [64, 520], "step": 64}),
    "lograndint": ("batch_size", {"lograndint": [1, 64]}),
    "lograndint steps": ("max_steps", {"lograndint": [100, 1000], "step": 100}),
    "normal": ("grad_clip", {"normal": [1.0, 0.5]}),
}  # fmt: skip


def axis_of(name: str) -> SearchAxis:
    key, stated = DOMAINS[name]
    return SearchAxis(key, TypeAdapter(AnyDomain).validate_python(stated), OURS)


@pytest.mark.parametrize("name", DOMAINS)
@given(seed=st.integers(0, 2**30))
def test_a_value_and_its_parameter_stand_for_each_other(name: str, seed: int) -> None:
    axis = axis_of(name)
    drawn = next(random_points({axis.key: axis.domain}, seed, 0, OURS))[axis.key]
    param = axis.param(drawn)
    contained = axis.distribution._contains(axis.distribution.to_internal_repr(param))
    assert contained
    again = axis.value(param)
    if name == "normal":
        assert isinstance(drawn, float)
        assert again == pytest.approx(drawn) or not -3 < (drawn - 1.0) / 0.5 < 3
    else:
        assert (again, type(again)) == (drawn, type(drawn))


@pytest.mark.parametrize("name", DOMAINS)
def test_sobol_draws_each_domain_as_a_random_search_does(name: str) -> None:
    """The same values where there are few, and the same distribution where there are many."""
    axis, number = axis_of(name), 2**10
    space = {axis.key: axis.domain}
    sobol = [p[axis.key] for p in itertools.islice(sobol_points(space, 0, OURS), number)]
    drawn = [next(random_points(space, 0, index, OURS))[axis.key] for index in range(number)]
    assert all(fitted(axis.key, axis.domain, value, OURS) == value for value in sobol)
    if len(set(drawn)) < 20:
        assert set(sobol) == set(drawn)
        shares = (Counter(sobol), Counter(drawn))
        # whole numbers on a log scale: Optuna rounds where a random search rounds down
        room = 0.25 if name == "lograndint" else 0.06
        assert all(abs(shares[0][v] - shares[1][v]) < room * number for v in set(drawn))
    else:
        quantiles = np.linspace(0.05, 0.95, 10)
        ours, theirs = (np.quantile(np.array(v, float), quantiles) for v in (sobol, drawn))
        spread = np.quantile(np.array(drawn, float), 0.9) - np.quantile(np.array(drawn, float), 0.1)
        assert np.allclose(ours, theirs, atol=0.12 * spread)


UNIT: dict[str, AnyDomain] = TypeAdapter(dict[str, AnyDomain]).validate_python(
    {"beta1": {"uniform": [0, 1]}, "beta2": {"uniform": [0, 1]}, "dropout": {"uniform": [0, 1]}}
)


def sobol(number: int, seed: int = 0) -> list[Point]:
    return list(itertools.islice(sobol_points(UNIT, seed, OURS), number))


def test_sobol_points_are_scipys() -> None:
    ours = np.array([list(point.values()) for point in sobol(64, seed=3)])
    theirs = qmc.Sobol(3, scramble=True, seed=sampler_seed(3)).random(64)
    assert np.allclose(ours, theirs)


def test_sobol_points_fill_space_more_evenly_than_random_ones() -> None:
    ours = np.array([list(point.values()) for point in sobol(128)])
    for seed in range(5):
        drawn = [list(next(random_points(UNIT, seed, i, OURS)).values()) for i in range(128)]
        assert qmc.discrepancy(ours) < 0.2 * qmc.discrepancy(np.array(drawn))


def test_more_sobol_points_keep_the_first_and_another_seed_gives_others() -> None:
    assert sobol(20)[:7] == sobol(7)
    assert sobol(7, seed=1) != sobol(7)


def test_what_is_not_swept_at_a_sobol_point_is_not_in_it() -> None:
    space: dict[str, AnyDomain] = TypeAdapter(dict[str, AnyDomain]).validate_python(
        {
            "learning_rate": {"loguniform": [1e-4, 1e-1], "when": {"size": "s"}},
            "size": {"choice": {"s": {"d_ff": 64}, "m": {"d_ff": 128}}},
        }
    )
    points = list(itertools.islice(sobol_points(space, 0, OURS), 32))
    assert {(point["size"], "learning_rate" in point) for point in points} == {
        ("s", True), ("m", False),
    }  # fmt: skip
    rates = sorted(math.log10(p["learning_rate"]) for p in points if "learning_rate" in p)  # type: ignore[arg-type]
    assert rates[0] < -3.5 < -1.5 < rates[-1]
