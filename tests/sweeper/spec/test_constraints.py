"""Which settings go together."""

from typing import Any

import pytest
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
