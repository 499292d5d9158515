"""What is swept: domains of values, and how a grid or a random search draws from them.

A domain is written as a mapping whose key is its kind: `{loguniform: [1e-4, 1e-2]}`. All bounds are
inclusive.
"""

import math
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)


def _one_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise ValueError(f"must be one value, got {value!r}")
    return value


def whole(value: Any) -> Any:
    """600.0 as 600."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Scalar = Annotated[bool | int | float | str | None, BeforeValidator(_one_value)]
ScalarT = TypeVar("ScalarT", bound=Scalar)
Settings = dict[str, Scalar]
WholeNumber = Annotated[int, BeforeValidator(whole)]  # 1e3 is one, 1.5 is none
# The bound stands inside: beside a union with None, pydantic leaves it out of the JSON Schema.
PositiveWhole = Annotated[int, Field(ge=1), BeforeValidator(whole)]


def each_once(values: list[ScalarT]) -> list[ScalarT]:
    """The list, refused where a value stands twice."""
    seen = set()
    for value in values:
        if (isinstance(value, bool), value) in seen:  # for Python, True is 1
            raise ValueError(f"{value!r} stands twice; remove one")
        seen.add((isinstance(value, bool), value))
    return values


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | dict) else [value]


Options = Annotated[
    list[Scalar],
    BeforeValidator(_listed, json_schema_input_type=Scalar | list[Scalar]),
    Field(min_length=1),
    AfterValidator(each_once),
]
Conditions = Annotated[dict[str, Options], Field(min_length=1)]  # swept name -> its values


class Domain(BaseModel):
    """The values that one swept name can take; `when` says where, by those of other names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    when: Conditions | None = None

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

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


MAX_STEPS = 2**53


class _Range(Domain):
    """Everything from low to high, or of it low, low + step, low + 2 steps, …"""

    step: Annotated[float, Field(gt=0)] | None = None

    def bounds(self) -> tuple[float, float]:
        raise NotImplementedError

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.bounds()
        if not math.isfinite(high - low + (self.step or 0)):
            raise ValueError(f"bounds and their distance must be finite, got [{low}, {high}]")
        if low >= high:
            raise ValueError(f"low must be below high, got [{low}, {high}]")
        if self.step is not None:
            if (high - low) / self.step > MAX_STEPS:
                raise ValueError(f"step is too small for [{low}, {high}], got {self.step}")
            if self.num_steps(self.step) < 1:
                raise ValueError(f"step must be at most high - low, got {self.step}")
        return self

    def num_steps(self, step: float) -> int:
        """How many steps fit between the bounds."""
        low, high = (_as_written(bound) for bound in self.bounds())
        return int((high - low) // _as_written(step))

    def at(self, index: int, step: float) -> Decimal:
        """low + index × step."""
        return _as_written(self.bounds()[0]) + index * _as_written(step)

    def draw_step(self, rng: np.random.Generator, step: float) -> Decimal:
        """low or so many steps above it, each as likely."""
        return self.at(int(rng.integers(self.num_steps(step), endpoint=True)), step)

    def draw_log_step(self, rng: np.random.Generator, step: float) -> Decimal:
        """low or so many steps above it, each as likely as its step is long on the log scale: that
        from v to v + step."""
        low, end = self.bounds()[0], self.end_of_steps(step)
        drawn = math.exp(rng.uniform(math.log(low), math.log(end)))
        return self.step_below(drawn, step)

    def end_of_steps(self, step: float) -> float:
        """Where the step from the last value ends, which may be above high."""
        return self.bounds()[0] + (self.num_steps(step) + 1) * step

    def step_below(self, value: float, step: float) -> Decimal:
        """The largest value at or below this one."""
        index = int((value - self.bounds()[0]) / step)
        return self.at(min(self.num_steps(step), max(0, index)), step)


def _as_written(value: float) -> Decimal:
    """In decimals, as in the file: in binary, 0.3 is not three steps of 0.1 above 0."""
    return Decimal(repr(value))


class Uniform(_Range):
    """A real number from low to high."""

    uniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.uniform[0], self.uniform[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        if self.step is not None:
            return float(self.draw_step(rng, self.step))
        low, high = self.bounds()
        return min(high, max(low, float(rng.uniform(low, high))))


class _LogRange(_Range):
    @model_validator(mode="after")
    def _positive(self) -> Self:
        low, _ = self.bounds()
        if low <= 0:
            raise ValueError(f"low must be above 0 on a log scale, got {low}")
        return self


class LogUniform(_LogRange):
    """A real number from low to high whose logarithm is uniform."""

    loguniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.loguniform[0], self.loguniform[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        if self.step is not None:
            return float(self.draw_log_step(rng, self.step))
        low, high = self.bounds()
        # exp(log(high)) may round past high
        return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))


class RandInt(_Range):
    """A whole number from low to high, both included."""

    randint: WholeBounds
    step: PositiveWhole | None = None

    def bounds(self) -> tuple[float, float]:
        return self.randint[0], self.randint[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        if self.step is not None:
            return int(self.draw_step(rng, self.step))
        return int(rng.integers(self.randint[0], self.randint[1], endpoint=True))


class LogRandInt(_LogRange):
    """A whole number from low to high, both included, its logarithm about uniform."""

    lograndint: WholeBounds
    step: PositiveWhole | None = None

    def bounds(self) -> tuple[float, float]:
        return self.lograndint[0], self.lograndint[1]

    def sample(self, rng: np.random.Generator) -> Scalar:
        return int(self.draw_log_step(rng, self.step or 1))


class Normal(Domain):
    """A real number about a mean. What a setting cannot be is drawn again."""

    normal: Bounds

    @property
    def mean(self) -> float:
        return self.normal[0]

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        mean, deviation = self.normal
        if not (math.isfinite(mean) and math.isfinite(deviation)):
            raise ValueError(f"mean and sd must be finite, got [{mean}, {deviation}]")
        if deviation <= 0:
            raise ValueError(f"sd must be above 0, got {deviation}")
        return self

    def sample(self, rng: np.random.Generator) -> float:
        mean, deviation = self.normal
        return float(rng.normal(mean, deviation))


DOMAINS: dict[str, type[Domain]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "randint": RandInt,
    "lograndint": LogRandInt,
    "normal": Normal,
}


def _kind(value: Any) -> str | None:
    if isinstance(value, Domain):
        return next(kind for kind, model in DOMAINS.items() if isinstance(value, model))
    kinds = [key for key in value if key in DOMAINS] if isinstance(value, dict) else []
    return kinds[0] if len(kinds) == 1 else None


AnyDomain = Annotated[
    Annotated[Grid, Tag("grid")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[RandInt, Tag("randint")]
    | Annotated[LogRandInt, Tag("lograndint")]
    | Annotated[Normal, Tag("normal")],
    Discriminator(
        _kind,
        custom_error_type="domain",
        custom_error_message="must be a mapping with one key out of " + ", ".join(DOMAINS),
    ),
]
