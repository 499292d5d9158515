"""Values near another: beside Tune's explore step, within the domain, in decimals."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sweeper.spec.domains.domain import Domain
from sweeper.spec.space import AnyDomain

LISTED = [0.1, 0.3, 0.9, 0.2]


def domain(stated: Any) -> Domain:
    read: Domain = TypeAdapter(AnyDomain).validate_python(stated)
    return read


@settings(deadline=None)
@given(st.sampled_from(LISTED), st.floats(1e-4, 1e-2), st.integers(0, 1000))
def test_moves_to_where_tune_may_move(listed: float, real: float, seed: int) -> None:
    from ray import tune
    from ray.tune.schedulers.pbt import _explore

    possible: dict[str, set[float]] = {"listed": set(), "real": set()}
    before = random.getstate()
    for draw in range(40):  # of two ways each
        random.seed(draw)
        mutations = {"listed": LISTED, "real": tune.uniform(0, 1)}
        new, _ = _explore({"listed": listed, "real": real}, mutations, 0.0, (1.2, 0.8), None)
        possible["listed"].add(new["listed"])
        possible["real"].add(new["real"])
    random.setstate(before)
    rng = np.random.default_rng(seed)
    assert domain({"grid": LISTED}).near(listed, rng) in possible["listed"]
    # ours is the decimal product, Tune's the binary one, which may end in another digit
    moved = domain({"uniform": [0, 1]}).near(real, rng)
    assert any(moved == pytest.approx(of_tune, rel=1e-15) for of_tune in possible["real"])


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            {"uniform": [0.0, 1.0]},
            {"uniform": [0.0, 1.0], "step": 0.1},
            {"loguniform": [1e-4, 1e-2]},
            {"randint": [3, 90]},
            {"randint": [3, 90], "step": 5},
            {"lograndint": [1, 1000]},
            {"choice": [1, 2, 3]},
            {"grid": {"low": {"beta1": 0.8}, "high": {"beta1": 0.9}}},
        ]
    ),
    st.integers(0, 1000),
)
def test_stays_within_the_domain(stated: Any, seed: int) -> None:
    swept: Any = domain(stated)
    rng = np.random.default_rng(seed)
    value = swept.sample(rng)
    for _ in range(20):
        value = swept.near(value, rng)
        if hasattr(swept, "values"):
            assert value in swept.values()
            continue
        low, high = swept.bounds()
        assert low <= value <= high
        if swept.step is not None:
            assert (value - low) / swept.step == pytest.approx(round((value - low) / swept.step))
        assert isinstance(value, int if "int" in next(iter(stated)) else float)


@pytest.mark.parametrize("value, near", [(0.1, {0.08, 0.12}), (0.7, {0.56, 0.84}), (1, {0.8, 1})])
@pytest.mark.parametrize("kind", ["uniform", "loguniform"])
def test_is_moved_in_decimals(kind: str, value: float, near: set[float]) -> None:
    """0.1 * 0.8 is 0.08000000000000002 in binary."""
    swept, rng = domain({kind: [0.01, 1]}), np.random.default_rng(0)
    assert {swept.near(value, rng) for _ in range(20)} == near
