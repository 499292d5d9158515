"""Which settings go together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sweeper.spec.constraints import Constraint
from sweeper.spec.sweep_spec import SweepSpec


def holds(stated: Any, **settings: Any) -> bool:
    return Constraint.model_validate(stated).holds(settings)


@pytest.mark.parametrize(
    ("stated", "low", "high", "expected"),
    [
        ({"less": ["low", "high"]}, 1, 2, True),
        ({"less": ["low", "high"]}, 2, 2, False),
        ({"at_most": ["low", "high"]}, 2, 2, True),
        ({"at_most": ["low", "high"]}, 3, 2, False),
        ({"at_most": [3, "high"]}, 0, 2, False),
        ({"at_most": ["low", 0.01]}, 0.01, 0, True),
        ({"divides": ["low", "high"]}, 4, 12, True),
        ({"divides": ["low", "high"]}, 4, 13, False),
        ({"divides": ["low", "high"]}, 0, 13, False),
        ({"less": ["low", "high"]}, None, 1, True),
        ({"divides": ["low", "high"]}, 1, None, True),
    ],
)
def test_relations(stated: Any, low: Any, high: Any, expected: bool) -> None:
    assert holds(stated, low=low, high=high) is expected


@pytest.mark.parametrize("stated", [{}, {"less": [1, 2], "at_most": [1, 2]}, {"less": None}])
def test_a_constraint_is_one_relation(stated: Any) -> None:
    with pytest.raises(ValidationError, match="must have one key out of less, at_most, divides"):
        Constraint.model_validate(stated)


def spec(**sections: Any) -> SweepSpec:
    return SweepSpec.model_validate({"name": "x", "train": {"num_heads": 1}, **sections})


def test_a_grid_loses_what_is_ruled_out_and_keeps_the_order_of_the_rest() -> None:
    space = {"d_model": {"grid": [8, 12, 16]}, "num_heads": {"grid": [2, 4, 6]}}
    every = spec(space=space).draw()
    some = spec(space=space, constraints=[{"divides": ["num_heads", "d_model"]}]).draw()
    assert (every.dropped, some.dropped) == (0, 2)  # six heads of 8 and 16
    assert some.tried == [
        s
        for s in every.tried
        if s.values["d_model"] % s.values["num_heads"] == 0  # type: ignore[operator]
    ]


@given(st.integers(0, 2**40), st.integers(1, 8))
def test_random_draws_that_are_ruled_out_are_drawn_again(seed: int, number: int) -> None:
    stated = {
        "space": {"warmup_steps": {"randint": [0, 99]}, "max_steps": {"randint": [1, 100]}},
        "constraints": [{"less": ["warmup_steps", "max_steps"]}],
    }
    search = {"algorithm": "random", "seed": seed, "num_trials": number}
    drawn = spec(**stated, search=search).draw()
    assert all(s.settings["warmup_steps"] < s.settings["max_steps"] for s in drawn.tried)  # type: ignore[operator]
    more = spec(**stated, search={**search, "num_trials": number + 2}).draw()
    assert more.tried[:number] == drawn.tried
    free = spec(space=stated["space"], search=search).draw()
    kept = [s for s in free.tried if s.settings["warmup_steps"] < s.settings["max_steps"]]  # type: ignore[operator]
    assert set(map(str, kept)) <= set(map(str, drawn.tried))
    assert (drawn.dropped == 0) == (len(kept) == number)


def test_defaults_and_derived_values_are_constrained_as_any_setting() -> None:
    stated = {
        "train": {"min_learning_rate": {"times": 0.5, "of": "learning_rate"}},
        "space": {"learning_rate": {"grid": [0.1, 0.2]}},
    }
    drawn = spec(**stated, constraints=[{"at_most": ["min_learning_rate", 0.06]}]).draw()
    assert [s.values for s in drawn.tried] == [{"learning_rate": 0.1}]
    drawn = spec(**stated, constraints=[{"less": [511, "d_model"]}]).draw()
    assert (len(drawn.tried), drawn.dropped) == (2, 0)  # d_model is 512
