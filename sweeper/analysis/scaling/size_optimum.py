"""The best learning rate of one size at one number of tokens, as the laws take it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweeper.analysis.summary.optimum import OptimumInterval, Valley
from sweeper.strategy.surface.axes import Array

EDGE = 0.1  # the chance of the first or the last value to be the best: more, and it lies beyond


@dataclass(frozen=True, kw_only=True)
class SizeOptimum:
    """`params` are those of the blocks' matrices and of the head; embeddings and norms, which do
    not multiply every token, are left out: they are most of a small model, and little of a large
    one."""

    params: int
    tokens: int  # that each of its runs was trained on
    batch_tokens: int  # of one step
    optimum: OptimumInterval

    @property
    def compute(self) -> float:
        """In units of 6 FLOPs."""
        return float(self.params) * self.tokens

    @property
    def log_rate(self) -> float:
        """The mean of the logarithm of the best learning rate."""
        return float(self._logs @ self._valley.chances)

    @property
    def deviation(self) -> float:
        """Of that logarithm."""
        squares = (self._logs - self.log_rate) ** 2
        return math.sqrt(float(squares @ self._valley.chances))

    @property
    def edge(self) -> tuple[Literal["low", "high"], float] | None:
        """The end of what was tried, beyond which the best may well lie."""
        valley = self._valley
        low, high = valley.chances[0], valley.chances[-1]
        if max(low, high) < EDGE:
            return None
        return ("low", valley.nodes[0]) if low > high else ("high", valley.nodes[-1])

    @property
    def _logs(self) -> Array:
        return np.log(self._valley.nodes)

    @property
    def _valley(self) -> Valley:
        assert self.optimum.valley is not None, "a learning rate has a scale"
        return self.optimum.valley

    @property
    def loss(self) -> float:
        """That is expected there."""
        return self.optimum.value
