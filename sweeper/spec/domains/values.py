"""Values as a file states them: their types and bounds, and numbers in decimals."""

import math
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, Tag, WithJsonSchema

from trainable.settings import LARGEST_WHOLE, shown

# Of a choice between types, pydantic writes the tag among the keys of a place. No file has a key
# that begins so, since it is refused there: a place in the file is what is left without tags.
TAG_MARK = "\x00"


def tag(kind: str) -> str:
    return f"{TAG_MARK}{kind}"


def tagged(kind: str) -> Tag:
    return Tag(tag(kind))


def _one_value(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be finite, got {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"must be one value, got {shown(value)}")


def whole(value: object) -> object:
    """600.0 as 600.

    Raises:
        ValueError: it is beyond 64 bits, where tables and counters end.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and value > LARGEST_WHOLE:
        raise ValueError(f"must be below 2^63, got {shown(value)}")
    if isinstance(value, int) and value < -LARGEST_WHOLE - 1:
        raise ValueError(f"must be at least -2^63, got {shown(value)}")
    return value


# Not a union of types: of a value that fits none of them, pydantic would tell a problem for each.
Scalar = Annotated[
    bool | int | float | str | None,
    PlainValidator(_one_value),
    WithJsonSchema(
        {"anyOf": [{"type": t} for t in ("boolean", "integer", "number", "string", "null")]}
    ),
]
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
