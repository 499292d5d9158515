"""What is swept: domains of values, and how a grid or a random search draws from them.

A domain is written as a mapping of one key: `{loguniform: [1e-4, 1e-2]}`. All bounds are inclusive.
"""

import math
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Scalar = bool | int | float | str | None
Settings = dict[str, Scalar]


class Domain(Protocol):
    """The values that one swept name can take."""

    def sample(self, rng: np.random.Generator) -> Scalar:
        """One value; for named bundles, a name."""

    def sets(self, key: str) -> set[str]:
        """The training settings that it decides, under the name `key`."""

    def settings(self, key: str, value: Scalar) -> Settings:
        """What `value` means in the trainable's own names."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Options(_Model):
    """Listed values, or named bundles that each set several fields at once."""

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        raise NotImplementedError

    def values(self) -> list[Scalar]:
        return list(self._listed())

    def sample(self, rng: np.random.Generator) -> Scalar:
        values = self.values()
        return values[int(rng.integers(len(values)))]

    def sets(self, key: str) -> set[str]:
        listed = self._listed()
        if isinstance(listed, dict):
            return {name for bundle in listed.values() for name in bundle}
        return {key}

    def settings(self, key: str, value: Scalar) -> Settings:
        listed = self._listed()
        return listed[str(value)] if isinstance(listed, dict) else {key: value}


Values = Annotated[list[Scalar], Field(min_length=1)]
Bundles = Annotated[dict[str, Settings], Field(min_length=1)]


def _values_or_bundles(value: Any) -> str:
    return "bundles" if isinstance(value, dict) else "values"


Listed = Annotated[
    Annotated[Values, Tag("values")] | Annotated[Bundles, Tag("bundles")],
    Discriminator(_values_or_bundles),
]


class Grid(_Options):
    """Every value is tried."""

    grid: Listed

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        return self.grid


class Choice(_Options):
    """Each value is as likely as any other."""

    choice: Listed

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        return self.choice


Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeBounds = Annotated[list[int], Field(min_length=2, max_length=2)]


class _Range(_Model):
    def bounds(self) -> tuple[float, float]:
        raise NotImplementedError

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.bounds()
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"bounds must be finite, got [{low:g}, {high:g}]")
        if low >= high:
            raise ValueError(f"low must be below high, got [{low:g}, {high:g}]")
        return self

    def sets(self, key: str) -> set[str]:
        return {key}

    def settings(self, key: str, value: Scalar) -> Settings:
        return {key: value}


class Uniform(_Range):
    """A real number from low to high."""

    uniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.uniform[0], self.uniform[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        low, high = self.bounds()
        return min(high, max(low, float(rng.uniform(low, high))))


class LogUniform(_Range):
    """A real number from low to high whose logarithm is uniform."""

    loguniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.loguniform[0], self.loguniform[1]

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.loguniform[0] <= 0:
            raise ValueError(f"low must be above 0 on a log scale, got {self.loguniform[0]:g}")
        return self

    def sample(self, rng: np.random.Generator) -> Scalar:
        low, high = self.bounds()
        # exp(log(high)) may round past high
        return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))


class RandInt(_Range):
    """A whole number from low to high, both included."""

    randint: WholeBounds

    def bounds(self) -> tuple[float, float]:
        return self.randint[0], self.randint[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        return int(rng.integers(self.randint[0], self.randint[1], endpoint=True))


DOMAINS: dict[str, type[BaseModel]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "randint": RandInt,
}


def _kind(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return next(kind for kind, model in DOMAINS.items() if isinstance(value, model))
    if isinstance(value, dict) and len(value) == 1:
        kind = next(iter(value))
        return kind if kind in DOMAINS else None
    return None


AnyDomain = Annotated[
    Annotated[Grid, Tag("grid")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[RandInt, Tag("randint")],
    Discriminator(
        _kind,
        custom_error_type="domain",
        custom_error_message="must be a mapping of one key out of " + ", ".join(DOMAINS),
    ),
]

Algorithm = Literal["grid", "random"]
