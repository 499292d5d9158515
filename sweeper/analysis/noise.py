"""Whether a point is ahead by more than noise: Tukey's test on a ranking."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from sweeper.record.ranking import PointResult, T

CONFIDENCE = 0.95
FEWEST_COMPETING = 5  # points; of more than twice as many, the better half competes


@dataclass(frozen=True, kw_only=True)
class Noise(Generic[T]):
    """How much the seed alone changes the objective, and which points that leaves tied."""

    deviation: float  # pooled over the points that compete
    degrees: int  # degrees of freedom
    least_difference: float | None  # that would part the first two points; None if there is one
    tied: tuple[PointResult[T], ...]  # the best, and those that the test cannot tell from it


def noise_of(points: Sequence[PointResult[T]]) -> Noise[T] | None:
    """The noise, and the points that Tukey's test cannot tell from the best.

    The deviation is pooled over the better half of the points, which compete, on the assumption
    that seeds move these alike: where training is unstable they move a loss by several times as
    much, and that says nothing of the others. A mean tells nothing of the deviation around it, so
    to choose points by their means makes no deviation smaller.

    The test is Tukey's honestly significant difference, in Kramer's form for unequal numbers. It
    holds for all pairs at once, and has to: the best point was picked after looking at all of them.

    Returns:
        None if no point that competes has two completed seeds.
    """
    competing = points[: max(FEWEST_COMPETING, (len(points) + 1) // 2)]
    degrees = sum(len(result.values) - 1 for result in competing)
    if degrees == 0:
        return None
    squares = sum((result.deviation or 0.0) ** 2 * (len(result.values) - 1) for result in competing)
    deviation = math.sqrt(squares / degrees)
    if len(points) == 1:
        return Noise(
            deviation=deviation, degrees=degrees, least_difference=None, tied=tuple(points)
        )
    from scipy.stats import studentized_range  # takes a moment

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
