"""Points that were run with the same seeds, compared seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeper.record.results.point_result import PointResult, T

if TYPE_CHECKING:  # the record is read without it where there are no finals
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Blocks:
    """What is left of the seeds' deviation once each seed's shift of all points is taken off, and
    how far the points lie apart then."""

    deviation: float
    degrees: int  # of freedom
    _places: Mapping[str, int]  # of each point, by its best trial
    _levels: "Array"  # of each point, with the seeds' shifts taken off
    _shares: "Array"  # of each point (row), how much of its mean each seed is (column)
    _inverse: "Array"  # the shifts' covariance, in units of the deviation's variance

    def __contains__(self, point: PointResult[T]) -> bool:
        return point.best.trial_id in self._places

    def level(self, point: PointResult[T]) -> float:
        """What it would come to in the mean over the seeds of all."""
        return float(self._levels[self._places[point.best.trial_id]])

    def variance(self, one: PointResult[T], other: PointResult[T]) -> float:
        """Of the difference between their levels, in units of the deviation's: 2 / n where both
        had the same n seeds."""
        ours, theirs = (self._shares[self._places[p.best.trial_id]] for p in (one, other))
        apart = ours - theirs
        alone = 1 / len(one.values) + 1 / len(other.values)
        return float(alone + apart @ self._inverse @ apart)


def blocks_of(points: Sequence[PointResult[T]], num_finalists: int) -> Blocks | None:
    """A seed means the same batches in the same order to all points, and moves all alike by a part
    of what it moves: value = level of the point + shift of the seed + rest, fitted by least squares
    (a randomised block design, of which some blocks may be incomplete; Scheffé, The Analysis of
    Variance, chapter 5.2). The points are eliminated first, so what is solved is as large as there
    are seeds.

    Args:
        points: The finalists, then others. Those of them that share no seed with a finalist are
            left out: they would only keep the rest from being compared.

    Returns:
        None where the seeds do not tie the points together, or leave nothing to tell the rest by.
    """
    if not num_finalists:
        return None
    import numpy as np

    finalists = points[:num_finalists]
    shared = {seed for point in finalists for seed in point.by_seed}
    tied_in = [*finalists, *(p for p in points[num_finalists:] if shared & p.by_seed.keys())]
    columns = {seed: 0 for point in tied_in for seed in point.by_seed}
    table = np.array([[p.by_seed.get(seed, np.nan) for seed in columns] for p in tied_in])
    ran = ~np.isnan(table)
    # One more than the parameters: a shift of all seeds is one of all points.
    degrees = int(ran.sum()) - len(tied_in) - len(columns) + 1
    if degrees < 1:
        return None
    shares = ran / ran.sum(axis=1, keepdims=True)
    means = np.nanmean(table, axis=1)
    left = np.where(ran, table - means[:, None], 0.0)
    normal = np.diag(ran.sum(axis=0)) - ran.T @ shares
    if np.linalg.matrix_rank(normal, hermitian=True) < len(columns) - 1:
        return None
    inverse = np.linalg.pinv(normal, hermitian=True)
    shifts = inverse @ left.sum(axis=0)
    rest = np.where(ran, left - shifts + (shares @ shifts)[:, None], 0.0)
    return Blocks(
        deviation=float(np.sqrt((rest**2).sum() / degrees)),
        degrees=degrees,
        _places={point.best.trial_id: place for place, point in enumerate(tied_in)},
        _levels=means - shares @ shifts,
        _shares=shares,
        _inverse=inverse,
    )
