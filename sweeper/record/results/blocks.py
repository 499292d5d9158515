"""Points that were run with the same seeds, compared seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeper.record.results.point_result import PointResult, T

if TYPE_CHECKING:  # what only looks at a sweep does without it
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
    _levels: "Array"  # of each point, its mean with the seeds' shifts taken off
    _shifts: Mapping[int | str, float]  # of each seed
    _shares: "Array"  # of each point (row), how much of its mean each seed is (column)
    _inverse: "Array"  # the shifts' covariance, in units of the deviation's variance

    def __contains__(self, point: PointResult[T]) -> bool:
        return point.best.trial_id in self._places

    def level(self, point: PointResult[T]) -> float:
        """What it would come to in the mean over the seeds of all."""
        return float(self._levels[self._places[point.best.trial_id]])

    def knows(self, seed: int | None) -> bool:
        """Whether it is known what the seed does to all points alike."""
        return seed in self._shifts

    def shift(self, seed: int | None) -> float:
        """What the seed does to all points alike; 0 where that is not known."""
        return 0.0 if seed is None else self._shifts.get(seed, 0.0)

    def variance(self, one: PointResult[T], other: PointResult[T]) -> float:
        """Of the difference between their levels, in units of the deviation's: 2 / n where both
        had the same n seeds."""
        ours, theirs = (self._shares[self._places[p.best.trial_id]] for p in (one, other))
        apart = ours - theirs
        alone = ours @ ours + theirs @ theirs  # as each has equal shares of so many seeds
        return float(alone + apart @ self._inverse @ apart)


def blocks_of(
    points: Sequence[PointResult[T]], num_competing: int, num_finalists: int = 0
) -> Blocks | None:
    """A seed means the same batches in the same order to all points, and moves all alike by a part
    of what it moves: value = level of the point + shift of the seed + rest, fitted by least squares
    (a randomised block design, of which some blocks may be incomplete; Scheffé, The Analysis of
    Variance, chapter 5.2). The points are eliminated first, so what is solved is as large as there
    are seeds.

    Args:
        points: In their order of merit. The others, whose rest may be larger, are compared by what
            was fitted, each by those of its seeds that were.
        num_competing: Of how many of them, the first, some are fitted: those that shared seeds tie
            together. Of several such groups it is the one with the finalists, or else the one that
            tells most: a point alone with an easy seed is not what the others are measured by.

    Returns:
        None where no seeds tie points together, or they leave nothing to tell the rest by.
    """
    among = {point.best.trial_id for point in points[:num_finalists]}

    def telling(group: Sequence[PointResult[T]]) -> tuple[int, int]:
        return sum(point.best.trial_id in among for point in group), _degrees(group)

    fitted = max(_groups(points[:num_competing]), key=telling, default=[])
    degrees = _degrees(fitted)
    if not fitted or degrees < 1:
        return None
    import numpy as np

    columns = dict.fromkeys(seed for point in fitted for seed in point.by_seed)
    own = {point.best.trial_id for point in fitted}
    others = (point for point in points if point.best.trial_id not in own)
    compared = [*fitted, *(point for point in others if point.by_seed.keys() & columns.keys())]
    table = np.array([[p.by_seed.get(seed, np.nan) for seed in columns] for p in compared])
    ran = ~np.isnan(table)
    shares = ran / ran.sum(axis=1, keepdims=True)
    means = np.nanmean(table, axis=1)
    left = np.where(ran, table - means[:, None], 0.0)
    first_rows = slice(len(fitted))
    normal = np.diag(ran[first_rows].sum(axis=0)) - ran[first_rows].T @ shares[first_rows]
    inverse = np.linalg.pinv(normal, hermitian=True)
    shifts = inverse @ left[first_rows].sum(axis=0)
    moved = (shares * shifts).sum(axis=1)  # the same for all that had the same seeds
    rest = np.where(ran, left - shifts + moved[:, None], 0.0)[first_rows]
    return Blocks(
        deviation=float(np.sqrt((rest**2).sum() / degrees)),
        degrees=degrees,
        _places={point.best.trial_id: place for place, point in enumerate(compared)},
        _levels=means - moved,
        _shifts=dict(zip(columns, shifts.tolist(), strict=True)),
        _shares=shares,
        _inverse=inverse,
    )


def _groups(points: Sequence[PointResult[T]]) -> list[list[PointResult[T]]]:
    """Those that shared seeds tie together, directly or by others between them."""
    of: dict[int | str, list[PointResult[T]]] = {}  # the group of each seed
    for point in points:
        joined = {id(of[seed]): of[seed] for seed in point.by_seed if seed in of}
        largest, *rest = sorted(joined.values(), key=len, reverse=True) or [[]]
        for part in (*rest, [point]):
            largest += part
            of |= {seed: largest for each in part for seed in each.by_seed}
    return list({id(group): group for group in of.values()}.values())


def _degrees(group: Sequence[PointResult[T]]) -> int:
    """Of freedom, that are left of its values. A shift of all seeds is one of all points."""
    seeds = {seed for point in group for seed in point.by_seed}
    return sum(len(point.by_seed) for point in group) - len(group) - len(seeds) + 1
