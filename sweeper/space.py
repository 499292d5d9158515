"""What is swept: domains of values, and how a grid or a random search draws from them.

A domain is written as a mapping of one key: `{loguniform: [1e-4, 1e-2]}`. All bounds are inclusive.
"""

import math
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)


def _one_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise ValueError(f"must be one value, got {value!r}")
    return value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Scalar = Annotated[bool | int | float | str | None, BeforeValidator(_one_value)]
ScalarT = TypeVar("ScalarT", bound=Scalar)
Settings = dict[str, Scalar]
WholeNumber = Annotated[int, BeforeValidator(_whole)]  # 1e3 is one, 1.5 is none


class Domain(BaseModel):
    """The values that one swept name can take."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @property
    def is_bundled(self) -> bool:
        """Whether its values are names, each of several settings."""
        return False

    def sample(self, rng: np.random.Generator) -> Scalar:
        """One value; for named bundles, a name."""
        raise NotImplementedError

    def sets(self, key: str) -> set[str]:
        """The training settings that it decides, under the name `key`."""
        return {key}

    def settings(self, key: str, value: Scalar) -> Settings:
        """What `value` means in the trainable's own names."""
        return {key: value}


class _Options(Domain):
    """Listed values, or named bundles that each set several fields at once."""

    def _listed(self) -> list[Scalar] | dict[str, Settings]:
        raise NotImplementedError

    @property
    def is_bundled(self) -> bool:
        return isinstance(self._listed(), dict)

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


def each_once(values: list[ScalarT]) -> list[ScalarT]:
    """The list, refused where a value stands twice."""
    seen = set()
    for value in values:
        if (isinstance(value, bool), value) in seen:  # for Python, True is 1
            raise ValueError(f"{value!r} stands twice; remove one")
        seen.add((isinstance(value, bool), value))
    return values


Values = Annotated[list[Scalar], Field(min_length=1), AfterValidator(each_once)]


def _printable_names(bundles: dict[str, Settings]) -> dict[str, Settings]:
    for name in bundles:
        if not (name and name.isprintable()):
            raise ValueError(f"the name of a bundle must be printable text, got {name!r}")
    return bundles


Bundles = Annotated[dict[str, Settings], Field(min_length=1), AfterValidator(_printable_names)]


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
WholeBounds = Annotated[list[WholeNumber], Field(min_length=2, max_length=2)]


class _Range(Domain):
    """Everything from low to high."""

    def bounds(self) -> tuple[float, float]:
        raise NotImplementedError

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.bounds()
        if not math.isfinite(high - low):
            raise ValueError(f"bounds and their distance must be finite, got [{low}, {high}]")
        if low >= high:
            raise ValueError(f"low must be below high, got [{low}, {high}]")
        return self


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
            raise ValueError(f"low must be above 0 on a log scale, got {self.loguniform[0]}")
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


DOMAINS: dict[str, type[Domain]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "randint": RandInt,
}


def _kind(value: Any) -> str | None:
    if isinstance(value, Domain):
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
