"""JSON of small files beside the journal, as a value of a type. Anybody may have changed them."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
_reader: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)  # takes longer to make than to use


def read_json(kind: type[T], text: bytes | str) -> T:
    """
    Raises:
        ValueError: it is no JSON, however wrong, or none of this type.
    """
    try:
        read: T = _reader(kind).validate_json(text, strict=True)
        return read
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(": ".join([*map(str, first["loc"]), first["msg"]])) from None
