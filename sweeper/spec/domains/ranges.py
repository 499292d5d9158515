"""Domains of the numbers between two bounds: all of them, or those at whole steps above low."""

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from sweeper.spec.domains.domain import FACTORS, Domain, require_number
from sweeper.spec.domains.values import PositiveWhole, Scalar, WholeNumber, as_written

if TYPE_CHECKING:
    import numpy as np

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeBounds = Annotated[list[WholeNumber], Field(min_length=2, max_length=2)]

MAX_STEPS = 2**53


class Range(Domain):
    """Everything from low to high; with a step only low, low + step, low + 2 steps, …"""

    kind: ClassVar[type[int] | type[float]] = float
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

    def near(self, value: Scalar, rng: "np.random.Generator") -> Scalar:
        assert isinstance(value, int | float), "a range has numbers"
        moved = as_written(value) * FACTORS[rng.integers(2)]
        low, high = (as_written(bound) for bound in self.bounds())
        moved = min(max(moved, low), high)
        if (step := self.step or (1 if self.kind is int else None)) is not None:
            index = round((moved - low) / as_written(step))
            moved = self.at(min(index, self.num_steps(step)), step)
        return self.kind(moved)

    def fitted(self, value: Scalar) -> Scalar:
        number = require_number(value)
        low, high = self.bounds()
        if not low <= number <= high:
            raise ValueError(f"must lie in [{low:g}, {high:g}], got {number:g}")
        if self.kind is int and number != int(number):
            raise ValueError(f"must be a whole number, got {number:g}")
        found = self.kind(number)
        if self.step is not None and (as_written(found) - as_written(low)) % as_written(self.step):
            raise ValueError(f"must lie whole steps of {self.step:g} above {low:g}, got {found}")
        return found

    def num_steps(self, step: float) -> int:
        """How many steps fit between the bounds."""
        return self._steps_to(self.bounds()[1], step)

    def index_of(self, value: float, step: float) -> int:
        """How many whole steps above low this value is."""
        return min(self.num_steps(step), max(0, self._steps_to(value, step)))

    def _steps_to(self, value: float, step: float) -> int:
        return int((as_written(value) - as_written(self.bounds()[0])) // as_written(step))

    def at(self, index: int, step: float) -> Decimal:
        """low + index × step."""
        return as_written(self.bounds()[0]) + index * as_written(step)

    def draw_step(self, rng: "np.random.Generator", step: float) -> Decimal:
        """A value at a step, each as likely as any other."""
        return self.at(int(rng.integers(self.num_steps(step), endpoint=True)), step)


class Uniform(Range):
    """A real number from low to high."""

    uniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.uniform[0], self.uniform[1]

    def sample(self, rng: "np.random.Generator") -> Scalar:
        if self.step is not None:
            return float(self.draw_step(rng, self.step))
        low, high = self.bounds()
        return min(high, max(low, float(rng.uniform(low, high))))


class RandInt(Range):
    """A whole number from low to high, both included."""

    kind = int
    randint: WholeBounds
    step: PositiveWhole | None = None

    def bounds(self) -> tuple[float, float]:
        return self.randint[0], self.randint[1]

    def sample(self, rng: "np.random.Generator") -> Scalar:
        if self.step is not None:
            return int(self.draw_step(rng, self.step))
        return int(rng.integers(self.randint[0], self.randint[1], endpoint=True))


class LogRange(Range):
    """A range on a log scale."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        low, _ = self.bounds()
        if low <= 0:
            raise ValueError(f"low must be above 0 on a log scale, got {low}")
        return self

    def draw_log_step(self, rng: "np.random.Generator", step: float) -> Decimal:
        """A value at a step. The chance of v is the length, on the log scale, of the step from v to
        v + step."""
        low, end = self.bounds()[0], self.end_of_steps(step)
        return self.step_below(math.exp(rng.uniform(math.log(low), math.log(end))), step)

    def end_of_steps(self, step: float) -> float:
        """Where the step from the last value ends, which may be above high."""
        return float(self.at(self.num_steps(step) + 1, step))

    def step_below(self, value: float, step: float) -> Decimal:
        """The largest value of the domain at or below this one."""
        return self.at(self.index_of(value, step), step)


class LogUniform(LogRange):
    """A real number from low to high whose logarithm is uniform."""

    loguniform: Bounds

    def bounds(self) -> tuple[float, float]:
        return self.loguniform[0], self.loguniform[1]

    def sample(self, rng: "np.random.Generator") -> Scalar:
        if self.step is not None:
            return float(self.draw_log_step(rng, self.step))
        low, high = self.bounds()
        # exp(log(high)) may round past high
        return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))


class LogRandInt(LogRange):
    """A whole number from low to high, both included, its logarithm about uniform."""

    kind = int
    lograndint: WholeBounds
    step: PositiveWhole | None = None

    def bounds(self) -> tuple[float, float]:
        return self.lograndint[0], self.lograndint[1]

    def sample(self, rng: "np.random.Generator") -> Scalar:
        return int(self.draw_log_step(rng, self.step or 1))
