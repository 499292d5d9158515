"""Values as a file states them: their types, and numbers in decimals."""

from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field


def _one_value(value: object) -> object:
    if isinstance(value, list | dict):
        raise ValueError(f"must be one value, got {value!r}")
    return value


def whole(value: object) -> object:
    """600.0 as 600."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Scalar = Annotated[bool | int | float | str | None, BeforeValidator(_one_value)]
ScalarT = TypeVar("ScalarT", bound=Scalar)
Settings = dict[str, Scalar]  # training settings by their names
WholeNumber = Annotated[int, BeforeValidator(whole)]  # 1e3 is one, 1.5 is none
# The bound stands in here: beside a union with None, the JSON Schema would lack it.
PositiveWhole = Annotated[int, Field(ge=1), BeforeValidator(whole)]


def each_once(values: list[ScalarT]) -> list[ScalarT]:
    """The list.

    Raises:
        ValueError: a value stands twice.
    """
    seen = set()
    for value in values:
        if (isinstance(value, bool), value) in seen:  # for Python, True is 1
            raise ValueError(f"{value!r} stands twice; remove one")
        seen.add((isinstance(value, bool), value))
    return values


def as_written(number: float) -> Decimal:
    """The number in decimals, as in the file: in binary, 3 × 0.1 is not 0.3."""
    return Decimal(repr(number))
