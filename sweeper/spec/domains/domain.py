"""What all domains have in common."""

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from sweeper.spec.domains.values import Scalar, Settings, each_once

if TYPE_CHECKING:
    import numpy as np

# By which population based training moves a number, as in its paper.
FACTORS = (Decimal("0.8"), Decimal("1.2"))


def _as_list(value: object) -> object:
    return value if isinstance(value, list | dict) else [value]


ConditionValues = Annotated[
    list[Scalar],
    BeforeValidator(_as_list, json_schema_input_type=Scalar | list[Scalar]),
    Field(min_length=1),
    AfterValidator(each_once),
]
Conditions = Annotated[dict[str, ConditionValues], Field(min_length=1)]  # swept name -> its values


class Domain(BaseModel):
    """The values that one swept name can take. With `when` it is swept only where other names have
    these values."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    when: Conditions | None = None

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {key: value for key, value in handler(self).items() if value is not None}

    @property
    def is_bundled(self) -> bool:
        """Whether its values are names, each of which stands for several settings."""
        return False

    def sample(self, rng: "np.random.Generator") -> Scalar:
        """One value; for named bundles, a name."""
        raise NotImplementedError

    def near(self, value: Scalar, rng: "np.random.Generator") -> Scalar:
        """A value of the domain near this one: its neighbour in a list; or a number 0.8 or 1.2
        times as large, within the bounds and on the steps."""
        raise NotImplementedError

    def fitted(self, value: Scalar) -> Scalar:
        """The value of the domain that equals this one.

        Raises:
            ValueError: there is none; the message says what would be right.
        """
        raise NotImplementedError

    def sets(self, key: str) -> set[str]:
        """The training settings that it decides if `key` is its name in the space."""
        return {key}

    def meaning(self, key: str, value: Scalar) -> Settings:
        """The training settings that `value` stands for if `key` is its name in the space."""
        return {key: value}


def require_number(value: Scalar) -> float:
    """The value.

    Raises:
        ValueError: it is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number, got {value!r}")
    return value
