"""Which settings go together."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sweeper.spec.constraints import Constraint


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
        ({"divides": [0.1, "high"]}, 0, 0.3, True),
        ({"divides": [0.1, "high"]}, 0, 0.25, False),
        ({"divides": [1e-5, "high"]}, 0, 1e300, True),
        ({"divides": ["low", "high"]}, 3, 1e300, False),
        ({"divides": ["low", 1]}, 0.1, 0, True),
        ({"divides": ["low", "high"]}, 2, float("inf"), True),  # no run can have it
        ({"less": ["low", 2]}, float("nan"), 0, True),
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


@given(st.integers(1, 999), st.integers(0, 6), st.integers(0, 10**6), st.integers(1, 99))
def test_numbers_divide_one_another_as_they_are_written(
    digits: int, places: int, times: int, rest: int
) -> None:
    """In binary 0.3 is no multiple of 0.1."""
    divisor = Decimal(digits).scaleb(-places)
    between = divisor * rest / 100
    assert holds({"divides": [float(divisor), "it"]}, it=float(divisor * times))
    assert not holds({"divides": [float(divisor), "it"]}, it=float(divisor * times + between))
