"""Points that are stated, or were tried before: what of them lies in a space."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sweeper.spec.points import Point, fitted, known_point, point_of, point_text, swept_text
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import OURS
from sweeper.strategy.search.draws import random_points

SPACE: dict[str, Any] = {
    "learning_rate": {"loguniform": [1e-4, 1e-1]},
    "weight_decay": {"uniform": [0, 0.3], "step": 0.1},
    "warmup_steps": {"randint": [0, 100], "step": 10},
    "batch_size": {"lograndint": [8, 64]},
    "max_steps": {"lograndint": [60, 600], "step": 60},
    "beta2": {"loguniform": [0.1, 0.9], "step": 0.1},
    "beta1": {"normal": [0.9, 0.05], "when": {"size": "large"}},
    "num_layers": {"choice": [2, 4], "when": {"size": "small"}},
    "size": {"grid": {"small": {"d_model": 64, "num_heads": 2}, "large": {"d_model": 128}}},
}


def space_of(stated: dict[str, Any]) -> dict[str, AnyDomain]:
    return TypeAdapter(dict[str, AnyDomain]).validate_python(stated)


@given(st.integers(0, 2**30))
def test_every_drawn_point_is_known_as_it_is(seed: int) -> None:
    space = space_of(SPACE)
    point = next(random_points(space, seed, 0, OURS))
    backwards = dict(reversed(point.items()))
    known, problems = known_point(space, backwards, OURS)
    assert (list(known.items()), problems) == (list(point.items()), [])
    assert repr(known) == repr(point), "in the same types"


@given(st.integers(0, 2**30))
def test_a_point_is_found_again_in_the_settings_that_it_means(seed: int) -> None:
    space = space_of(SPACE)
    point = next(random_points(space, seed, 0, OURS))
    settings = {**OURS.defaults, "beta1": 0.5}
    for key, value in point.items():
        settings |= space[key].meaning(key, value)
    assert point_of(space, settings, OURS) == point


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("learning_rate", 0.2, r"must lie in \[0.0001, 0.1\], got 0.2"),
        ("learning_rate", 0.00001, r"must lie in \[0.0001, 0.1\]"),
        ("learning_rate", "much", "must be a number, got 'much'"),
        ("learning_rate", True, "must be a number, got True"),
        ("learning_rate", float("nan"), "must be a number, got nan"),
        ("weight_decay", 0.15, "must lie whole steps of 0.1 above 0, got 0.15"),
        ("warmup_steps", 15, "must lie whole steps of 10 above 0, got 15"),
        ("batch_size", 8.5, "must be a whole number, got 8.5"),
        ("max_steps", 600.5, r"must lie in \[60, 600\]"),
        ("beta1", -0.1, "beta1 cannot be -0.1"),
        ("num_layers", 3, "must be one of 2, 4, got 3"),
        ("num_layers", True, "must be one of 2, 4, got True"),
        ("size", "medium", "must be one of small, large, got 'medium'"),
    ],
)
def test_what_a_domain_lacks_is_told(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        fitted(name, space_of(SPACE)[name], value, OURS)


@pytest.mark.parametrize(
    ("name", "value", "fitting"),
    [("learning_rate", 1e-1, 0.1), ("weight_decay", 0.3, 0.3), ("warmup_steps", 100.0, 100),
     ("batch_size", 64, 64), ("beta2", 0.9, 0.9), ("num_layers", 4.0, 4)],
)  # fmt: skip
def test_bounds_are_inclusive_and_types_those_of_the_domain(
    name: str, value: Any, fitting: Any
) -> None:
    found = fitted(name, space_of(SPACE)[name], value, OURS)
    assert (found, type(found)) == (fitting, type(fitting))


def test_a_point_has_what_is_swept_there_and_nothing_else() -> None:
    space = space_of({key: SPACE[key] for key in ("learning_rate", "beta1", "num_layers", "size")})
    _, problems = known_point(space, {"learning_rate": 0.01, "size": "large"}, OURS)
    assert problems == [("beta1", "is missing; a point has a value for every name")]
    stated = {"learning_rate": 0.01, "size": "small", "beta1": 0.9, "num_layers": 2}
    assert known_point(space, stated, OURS)[1] == [
        ("beta1", "is swept only where size is large; remove it")
    ]
    assert known_point(space, {"learning_rat": 0.01}, OURS)[1] == [
        ("learning_rat", "no such name is swept; did you mean 'learning_rate'?")
    ]
    del stated["beta1"]
    assert known_point(space, stated, OURS) == (stated | {"num_layers": 2}, [])


def test_a_bundle_is_known_by_what_it_sets() -> None:
    space = space_of({"size": {"choice": {"a": {"d_model": 64}, "b": {"d_model": 128}}}})
    assert point_of(space, {**OURS.defaults, "d_model": 128}, OURS) == {"size": "b"}
    assert point_of(space, {**OURS.defaults, "d_model": 256}, OURS) is None


def test_a_bundle_that_another_is_a_part_of_is_known_by_all_that_it_sets() -> None:
    sizes = {"s": {"d_model": 64}, "s-long": {"d_model": 64, "max_steps": 900}}
    space = space_of({"size": {"choice": sizes}})
    stated = {**OURS.defaults, "d_model": 64}
    assert point_of(space, {**stated, "max_steps": 900}, OURS) == {"size": "s-long"}
    assert point_of(space, {**stated, "max_steps": 300}, OURS) == {"size": "s"}


def test_every_value_of_a_stepped_domain_fits() -> None:
    rng = np.random.default_rng(0)
    domain = space_of({"learning_rate": {"loguniform": [1e-4, 1e-2], "step": 1e-4}})[
        "learning_rate"
    ]
    for _ in range(200):
        value = domain.sample(rng)
        assert fitted("learning_rate", domain, value, OURS) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0012, "0.0012"), (3e-5, "3e-05"), (0.0067407195, "0.006741"), (128, "128"),
     ("small", "small"), (True, "true"), (None, "null")],
)  # fmt: skip
def test_the_text_of_a_swept_value(value: Any, text: str) -> None:
    assert swept_text(value) == text


def test_the_text_of_a_point() -> None:
    point: Point = {"learning_rate": 3e-4, "size": "small"}
    assert point_text(point) == "learning_rate 0.0003, size small"
    assert point_text(point, between="=") == "learning_rate=0.0003, size=small"
    assert point_text({}) == ""
