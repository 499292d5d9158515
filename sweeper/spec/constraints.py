"""Which settings go together: `{less: [warmup_steps, max_steps]}`."""

import math
import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from sweeper.spec.domains.values import Settings, as_written
from trainable.settings import shown


def _divides(divisor: float, number: float) -> bool:
    if divisor == 0:
        return False
    return Fraction(as_written(number)) % Fraction(as_written(divisor)) == 0


RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "less": operator.lt,
    "at_most": operator.le,
    "divides": _divides,
}


def _operand(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be the name of a setting or a number, got {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be finite, got {value}")
    return value


Operand = Annotated[
    str | int | float,
    PlainValidator(_operand),
    WithJsonSchema({"anyOf": [{"type": t} for t in ("string", "integer", "number")]}),
]
Operands = Annotated[list[Operand], Field(min_length=2, max_length=2)]


class Constraint(BaseModel):
    """A relation between two operands, each a training setting or a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    less: Operands | None = None
    at_most: Operands | None = None
    divides: Operands | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1 or None in self._stated().values():
            raise ValueError(f"must have one key out of {', '.join(RELATIONS)}")
        return self

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {key: value for key, value in handler(self).items() if value is not None}

    def _stated(self) -> dict[str, list[Operand] | None]:
        return {name: getattr(self, name) for name in self.model_fields_set}

    def operands(self) -> Iterator[tuple[str, int, Operand]]:
        """Each operand, with its relation and its place in it."""
        for relation, pair in self._stated().items():
            for index, operand in enumerate(pair or []):
                yield relation, index, operand

    def holds(self, settings: Settings) -> bool:
        """Whether these settings satisfy it. A setting that is off (null) is not constrained. Nor
        is one that is not finite: its trial is refused for that."""
        ((relation, pair),) = self._stated().items()
        assert pair is not None
        left, right = (settings[o] if isinstance(o, str) else o for o in pair)
        if left is None or right is None:
            return True
        assert not isinstance(left, str)
        assert not isinstance(right, str), "the spec admits only numbers as operands"
        if not all(abs(number) < math.inf for number in (left, right)):
            return True
        return RELATIONS[relation](left, right)
