"""Who has won, and whether that is more than noise: the ranking with Tukey's test upon it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from sweeper.analysis.summary.sweep_data import SweepData, TrialData
from sweeper.record.ranking import Margin, PointResult, Ranking, T, rank

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Noise(Generic[T]):
    """How much the seed alone changes the objective, and which points that leaves tied."""

    deviation: float  # pooled over the points
    degrees: int  # degrees of freedom
    least_difference: float | None  # that would part the first two points; None if there is one
    tied: tuple[PointResult[T], ...]  # the best, and those that the test cannot tell from it


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best point. `noise` is None if no point was repeated: then nothing is known about it."""

    best: PointResult[TrialData]
    margin: Margin[TrialData] | None
    noise: Noise[TrialData] | None

    @property
    def trial(self) -> TrialData:
        """The best of its trials, whose weights are the ones to take."""
        return self.best.best


def ranking_of(sweep: SweepData) -> Ranking[TrialData]:
    return rank(sweep.trials, sweep.mode, repeated=bool(sweep.seeds))


def winner_of(ranking: Ranking[TrialData]) -> Winner | None:
    """None while no trial has completed."""
    if ranking.best is None:
        return None
    return Winner(best=ranking.best, margin=ranking.margin, noise=noise_of(ranking.points))


def noise_of(points: Sequence[PointResult[T]]) -> Noise[T] | None:
    """The noise, and the points that Tukey's test cannot tell from the best.

    The deviation is pooled over all points, on the assumption that seeds move good points about as
    much as others. The test is Tukey's honestly significant difference, in Kramer's form for
    unequal numbers. It holds for all pairs at once, and has to: the best point was picked after
    looking at all of them.

    Returns:
        None if no point has two completed seeds.
    """
    degrees = sum(len(result.values) - 1 for result in points)
    if degrees == 0:
        return None
    squares = sum((result.deviation or 0.0) ** 2 * (len(result.values) - 1) for result in points)
    deviation = math.sqrt(squares / degrees)
    if len(points) == 1:
        return Noise(
            deviation=deviation, degrees=degrees, least_difference=None, tied=tuple(points)
        )
    from scipy.stats import studentized_range  # type: ignore[import-untyped]  # takes a moment

    best = points[0]
    quantile = float(studentized_range.ppf(CONFIDENCE, len(points), degrees))

    def least_difference(other: PointResult[T]) -> float:
        share = 1 / len(best.values) + 1 / len(other.values)
        return quantile * deviation * math.sqrt(share / 2)

    tied = [best] + [p for p in points[1:] if abs(p.mean - best.mean) <= least_difference(p)]
    return Noise(
        deviation=deviation,
        degrees=degrees,
        least_difference=least_difference(points[1]),
        tied=tuple(tied),
    )
