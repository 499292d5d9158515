"""A number around a mean: a domain without bounds of its own."""

import math
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from sweeper.spec.domains.domain import FACTORS, Domain, require_number
from sweeper.spec.domains.ranges import Bounds
from sweeper.spec.domains.values import Scalar, as_written

if TYPE_CHECKING:
    import numpy as np


class Normal(Domain):
    """A real number around a mean. A value that the setting cannot have is drawn again."""

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

    def sample(self, rng: "np.random.Generator") -> float:
        mean, deviation = self.normal
        return float(rng.normal(mean, deviation))

    def near(self, value: Scalar, rng: "np.random.Generator") -> Scalar:
        assert isinstance(value, int | float), "a normal has numbers"
        return float(as_written(value) * FACTORS[rng.integers(2)])

    def fitted(self, value: Scalar) -> float:
        return float(require_number(value))
