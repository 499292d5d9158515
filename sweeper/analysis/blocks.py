"""Points that were run with the same seeds, compared seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.record.ranking import PointResult, T

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Blocks:
    """What is left of the seeds' deviation once each seed's shift of all points is taken off, and
    how far the points lie apart then."""

    deviation: float
    degrees: int  # of freedom
    _levels: Array  # of each point, then the shift of each seed
    _inverse: Array

    def difference(self, one: int, other: int) -> tuple[float, float]:
        """By how much the one lies above the other, and the variance of that in units of the
        deviation's: 2 / n where both had the same n seeds. Both are places among the points."""
        contrast = np.zeros(len(self._levels))
        contrast[one] += 1
        contrast[other] -= 1
        return float(contrast @ self._levels), float(contrast @ self._inverse @ contrast)


def blocks_of(points: Sequence[PointResult[T]]) -> Blocks | None:
    """A seed means the same batches in the same order to all points, and moves all alike by a part
    of what it moves: value = level of the point + shift of the seed + rest, fitted by least squares
    (a randomised block design, of which some blocks may be incomplete; Scheffé, The Analysis of
    Variance, chapter 5.2).

    Returns:
        None where the seeds do not tie all points together, or leave nothing to tell the rest by.
    """
    rows = [(number, *each) for number, p in enumerate(points) for each in p.by_seed.items()]
    seeds = {seed: len(points) + n for n, seed in enumerate({seed: 0 for _, seed, _ in rows})}
    design = np.zeros((len(rows), len(points) + len(seeds)))
    for row, (number, seed, _) in enumerate(rows):
        design[row, [number, seeds[seed]]] = 1
    values = np.array([value for *_, value in rows])
    full = len(points) + len(seeds) - 1  # a shift of all seeds is one of all points
    degrees = len(rows) - full
    levels, _, rank, _ = np.linalg.lstsq(design, values)
    if degrees < 1 or rank < full:
        return None
    rest = values - design @ levels
    inverse = np.linalg.pinv(design.T @ design)
    return Blocks(float(np.sqrt(rest @ rest / degrees)), degrees, levels, inverse)
