import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sweeper.spec.domains.domain import Domain
from sweeper.spec.space import DOMAINS, AnyDomain


def domain(stated: Any) -> Domain:
    read: Domain = TypeAdapter(AnyDomain).validate_python(stated)
    return read


def draws(stated: Any, number: int = 2000) -> list[Any]:
    rng = np.random.default_rng(0)
    swept = domain(stated)
    return [swept.sample(rng) for _ in range(number)]


@pytest.mark.parametrize(
    "stated",
    [
        {"grid": [1, 2.5, "a", True, None]},
        {"grid": {"small": {"d_model": 64}, "large": {"d_model": 128, "num_heads": 4}}},
        {"choice": [1]},
        {"uniform": [0, 1]},
        {"loguniform": [1e-4, 1e-2]},
        {"randint": [0, 10]},
        {"lograndint": [1, 10]},
        {"normal": [0, 1]},
        {"uniform": [0, 0.5], "step": 0.05},
        {"uniform": [0, 0.5], "when": {"size": ["small", "large"], "d_ff": [64]}},
        {"grid": {"a": {"d_model": 64}}, "when": {"size": ["large"]}},
        {"loguniform": [1e-4, 1e-2], "step": 1e-4},
        {"randint": [0, 100], "step": 10},
        {"lograndint": [64, 1024], "step": 64},
    ],
)
def test_a_domain_is_stated_by_one_key_and_written_back_as_it_was(stated: Any) -> None:
    read = domain(stated)
    assert type(read) is DOMAINS[next(iter(stated))]
    assert read.model_dump() == stated


def test_whole_numbers_may_be_written_as_floats_and_stay_what_they_are() -> None:
    assert domain({"randint": [1e2, 1e3]}).model_dump() == {"randint": [100, 1000]}
    kinds = [type(value) for value in domain({"grid": [1, 2.0, True, "x", None]}).grid]  # type: ignore[attr-defined]
    assert kinds == [int, float, bool, str, type(None)]


def test_randint_draws_both_ends_and_nothing_beyond() -> None:
    assert set(draws({"randint": [3, 6]})) == {3, 4, 5, 6}
    assert set(draws({"randint": [-1, 0]})) == {-1, 0}
    assert all(type(value) is int for value in draws({"randint": [0, 9]}, 10))


def test_choice_draws_each_value_as_often() -> None:
    values = draws({"choice": ["a", "b", "c"]}, 6000)
    assert all(abs(values.count(value) - 2000) < 150 for value in "abc")  # 4 sigma


def test_uniform_is_even_and_loguniform_even_in_the_logarithm() -> None:
    low, high = 1e-4, 1e-1
    even = (np.array(draws({"uniform": [low, high]})) - low) / (high - low)
    logs = np.log(np.array(draws({"loguniform": [low, high]})) / low) / np.log(high / low)
    for shares in (even, logs):
        tenths = np.histogram(shares, bins=10, range=(0, 1))[0]
        assert tenths.sum() == 2000
        assert all(abs(count - 200) < 60 for count in tenths)  # 4 sigma


def test_steps_are_reached_from_low_to_high_and_as_they_are_written() -> None:
    tenths = {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}  # none is 0.30000000000000004
    assert set(draws({"uniform": [0, 0.7], "step": 0.1})) == tenths
    assert set(draws({"uniform": [0, 0.79], "step": 0.1})) == tenths
    assert set(draws({"randint": [5, 35], "step": 10})) == {5, 15, 25, 35}
    assert set(draws({"loguniform": [0.1, 0.3], "step": 0.1})) == {0.1, 0.2, 0.3}
    assert set(draws({"lograndint": [1, 4]})) == {1, 2, 3, 4}
    drawn = draws({"lograndint": [64, 256], "step": 64})
    assert set(drawn) == {64, 128, 192, 256}
    assert all(type(value) is int for value in drawn)


@pytest.mark.parametrize("kind", ["randint", "lograndint"])
def test_steps_are_as_likely_as_they_are_long(kind: str) -> None:
    drawn = draws({kind: [10, 30], "step": 10}, 4000)
    shares = [math.log(20 / 10), math.log(30 / 20), math.log(40 / 30)]
    expected = [1 / 3] * 3 if kind == "randint" else [share / math.log(4) for share in shares]
    for value, share in zip((10, 20, 30), expected, strict=True):
        assert abs(drawn.count(value) - 4000 * share) < 125  # 4 sigma


@given(
    st.sampled_from(["uniform", "loguniform"]),
    st.floats(1e-6, 1e6),
    st.floats(1e-6, 1e6),
    st.floats(1e-6, 1e3),
    st.integers(0, 2**32),
)
def test_a_step_stays_within_the_bounds(
    kind: str, low: float, width: float, step: float, seed: int
) -> None:
    try:
        swept = domain({kind: [low, low + width], "step": step})
    except ValidationError:
        assert step > width * (1 - 1e-6) or low == low + width
        return
    rng = np.random.default_rng(seed)
    for _ in range(5):
        value = float(str(swept.sample(rng)))
        assert low <= value <= low + width
        assert (value - low) / step == pytest.approx(
            round((value - low) / step), rel=1e-6, abs=1e-2
        )


@given(st.integers(1, 2**62), st.integers(1, 2**62), st.integers(0, 2**32))
def test_lograndint_takes_any_positive_bounds(a: int, b: int, seed: int) -> None:
    low, high = sorted((a, b))
    if low < high:
        value = domain({"lograndint": [low, high]}).sample(np.random.default_rng(seed))
        assert low <= int(str(value)) <= high


def test_normal_is_about_its_mean() -> None:
    drawn = np.array(draws({"normal": [3, 2]}))
    assert abs(drawn.mean() - 3) < 4 * 2 / math.sqrt(2000)
    assert abs(drawn.std() - 2) < 0.15


positive = st.floats(1e-300, 1e300)


@given(st.sampled_from(["uniform", "loguniform"]), positive, positive, st.integers(0, 2**32))
def test_draws_stay_within_their_bounds(kind: str, a: float, b: float, seed: int) -> None:
    low, high = sorted((a, b))
    if low == high:
        high = math.nextafter(high, math.inf)
    swept = domain({kind: [low, high]})
    rng = np.random.default_rng(seed)
    assert all(low <= float(swept.sample(rng)) <= high for _ in range(20))  # type: ignore[arg-type]


whole = st.integers(-(2**63), 2**63 - 1)


@given(whole, whole, st.integers(0, 2**32))
def test_randint_takes_any_64_bit_bounds(a: int, b: int, seed: int) -> None:
    low, high = sorted((a, b))
    if low < high:
        value = domain({"randint": [low, high]}).sample(np.random.default_rng(seed))
        assert low <= int(value) <= high  # type: ignore[arg-type]


def test_a_bundle_stands_for_its_settings_and_a_value_for_itself() -> None:
    sizes = domain({"choice": {"s": {"d_model": 64}, "m": {"d_model": 128, "d_ff": 344}}})
    assert sizes.is_bundled
    assert sizes.sets("size") == {"d_model", "d_ff"}
    assert sizes.meaning("size", "m") == {"d_model": 128, "d_ff": 344}
    values = domain({"grid": [1, 2]})
    assert not values.is_bundled
    assert values.sets("d_ff") == {"d_ff"}
    assert values.meaning("d_ff", 2) == {"d_ff": 2}


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"uniform": [1, 1]}, "low must be below high, got [1.0, 1.0]"),
        ({"uniform": [2, 1]}, "low must be below high, got [2.0, 1.0]"),
        ({"randint": [5, 4]}, "low must be below high, got [5, 4]"),
        ({"loguniform": [0, 1]}, "low must be above 0 on a log scale, got 0.0"),
        ({"loguniform": [-1, 1]}, "low must be above 0 on a log scale, got -1.0"),
        ({"uniform": [0, math.inf]}, "must be finite, got [0.0, inf]"),
        ({"uniform": [math.nan, 1]}, "must be finite, got [nan, 1.0]"),
        ({"uniform": [-1.7e308, 1.7e308]}, "their distance must be finite"),
        ({"grid": [1, 2, 1.0]}, "1.0 stands twice; remove one"),
        ({"choice": ["a", "a"]}, "'a' stands twice; remove one"),
        ({"grid": [[1]]}, "must be one value, got [1]"),
        ({"grid": [1], "choice": [2]}, "one key out of grid, choice"),
        ({"qrandint": [1, 2]}, "one key out of grid, choice"),
        ({"normal": [0, -1]}, "sd must be above 0, got -1.0"),
        ({"normal": [math.nan, 1]}, "mean and sd must be finite, got [nan, 1.0]"),
        ({"uniform": [0, 1e300], "step": 1e-300}, "step is too small for [0.0, 1e+300]"),
        ({"randint": [0, 5], "step": 6}, "step must be at most high - low, got 6"),
        ({"lograndint": [0, 5]}, "low must be above 0 on a log scale, got 0"),
    ],
)
def test_no_domain_is_made_of_what_cannot_be_drawn_from(stated: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(problem)):
        domain(stated)
