"""What is known of a number: values, each with its weight."""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from sweeper.strategy.surface.axes import Array

NODES = 41  # of each normal distribution
NORMAL: Array = np.array([NormalDist().inv_cdf((node + 0.5) / NODES) for node in range(NODES)])


@dataclass(frozen=True)
class Belief:
    """A distribution: `values` and `weights` have the same shape, the weights the sum 1."""

    values: Array
    weights: Array

    @classmethod
    def of_normals(cls, means: Array, deviations: Array, weights: Array) -> "Belief":
        """A mixture of normal distributions, each given by its quantiles."""
        values = means[:, None] + deviations[:, None] * NORMAL
        return cls(values.ravel(), np.repeat(weights / NODES, NODES))

    @property
    def mean(self) -> float:
        return float(self.weights @ self.values)

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        values, cumulated = self._sorted
        return float(np.interp(share, cumulated, values))

    def interval(self, level: float) -> tuple[float, float]:
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    @cached_property
    def _sorted(self) -> tuple[Array, Array]:
        order = np.argsort(self.values)
        weights = self.weights[order]
        return self.values[order], np.cumsum(weights) - weights / 2
