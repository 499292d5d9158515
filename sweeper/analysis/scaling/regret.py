"""By how much a loss rises beside its best learning rate, and the rate that risks the least."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from sweeper.analysis.scaling.belief import Belief
from sweeper.analysis.scaling.learning_rate_law import OCTAVE
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.strategy.surface.axes import Array

NEAR = 2 * OCTAVE  # of the best, where a valley is taken to be a parabola on each side
CANDIDATES = 201


@dataclass(frozen=True)
class Rise:
    """The rise, as a share of the loss: `below` and `above` times the square of the distance, in
    e-folds of the learning rate."""

    below: float
    above: float

    def at(self, distance: Array) -> Array:
        """Of learning rates this far above the best; below it, distances are negative."""
        risen: Array = np.where(distance < 0, self.below, self.above) * distance**2
        return risen

    def safest(self, best: Belief) -> tuple[float, float]:
        """The logarithm of the learning rate of least expected rise, and that rise."""
        candidates = np.linspace(*best.interval(0.98), CANDIDATES)
        rises = self.at(candidates[:, None] - best.values) @ best.weights
        least = int(rises.argmin())
        return float(candidates[least]), float(rises[least])


def rise_of(sizes: Sequence[SizeOptimum]) -> Rise:
    """What is usual among the sizes: the median of either side.

    Assumes that the valley of a size that was not swept is of the same form, which those of Step
    Law's models are.
    """
    sides = [_sides(size) for size in sizes]
    below = [side for side, _ in sides if side is not None]
    above = [side for _, side in sides if side is not None]
    usual = median([*below, *above])
    return Rise(median(below or [usual]), median(above or [usual]))


def _sides(size: SizeOptimum) -> tuple[float | None, float | None]:
    valley = size.optimum.valley
    assert valley is not None, "a learning rate has a scale"
    expected = np.array(valley.expected)
    least = int(expected.argmin())
    distance = np.log(valley.nodes) - np.log(valley.nodes[least])
    rise = (expected - expected[least]) / abs(expected[least])

    def parabola(side: Array) -> float | None:
        near = side & (abs(distance) <= NEAR)
        weight = float((distance[near] ** 4).sum())
        return float(distance[near] ** 2 @ rise[near]) / weight if weight else None

    return parabola(distance < 0), parabola(distance > 0)
