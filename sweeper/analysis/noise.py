"""Whether a point is ahead by more than noise: Tukey's test on a ranking."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic

from sweeper.analysis.blocks import Blocks, blocks_of
from sweeper.record.ranking import PointResult, Ranking, T

CONFIDENCE = 0.95
FEWEST_COMPETING = 5  # points; of more than twice as many, the better half competes


@dataclass(frozen=True, kw_only=True)
class Noise(Generic[T]):
    """How much the seed alone changes the objective, and which points that leaves tied."""

    deviation: float  # pooled over the points that compete
    degrees: int  # degrees of freedom
    least_difference: float | None  # that would part the first two points; None if there is one
    tied: tuple[PointResult[T], ...]  # the best, and those that the test cannot tell from it
    left_out: tuple[PointResult[T], ...] = ()  # tied with it too, but not among the finalists
    confidence: float = CONFIDENCE  # of this one look at the results
    blocks: Blocks | None = None  # where finalists are compared seed by seed


def noise_of(
    points: Sequence[PointResult[T]], *, num_finalists: int = 0, confidence: float = CONFIDENCE
) -> Noise[T] | None:
    """The noise, and the points that Tukey's test cannot tell from the best.

    The deviation is pooled over the better half of the points, which compete, on the assumption
    that seeds move these alike: where training is unstable they move a loss by several times as
    much, and that says nothing of the others. A mean tells nothing of the deviation around it, so
    to choose points by their means makes no deviation smaller.

    The test is Tukey's honestly significant difference, in Kramer's form for unequal numbers, which
    errs on the safe side (Hayter 1984). It holds for all pairs at once, and has to: the best point
    was picked after looking at all of them. Finalists are compared with one another, by the seeds
    that they have in common (`blocks_of`).

    Args:
        points: In their order of merit.
        num_finalists: How many of them, the first, are finalists; 0 if there are no finals.

    Returns:
        None if no point that competes has two completed seeds.
    """
    competing = points[: max(FEWEST_COMPETING, (len(points) + 1) // 2, num_finalists)]
    degrees = sum(len(result.values) - 1 for result in competing)
    if degrees == 0:
        return None
    squares = sum((result.deviation or 0.0) ** 2 * (len(result.values) - 1) for result in competing)
    deviation = math.sqrt(squares / degrees)
    best, blocks = points[0], blocks_of(competing) if num_finalists else None

    def compared(other: int, among: int) -> tuple[float, float]:
        """By how much the best is ahead of this one, and by how much it has to be."""
        apart = points[other].mean - best.mean
        if blocks is None or other >= len(competing):
            share = 1 / len(best.values) + 1 / len(points[other].values)
            quantile = tukey_quantile(confidence, among, degrees)
            return abs(apart), quantile * deviation * math.sqrt(share / 2)
        beside, share = blocks.difference(other, 0)
        quantile = tukey_quantile(confidence, among, blocks.degrees)
        # Ahead in the mean over its own seeds, behind in those that both had: that is no lead.
        return math.copysign(1, apart) * beside, quantile * blocks.deviation * math.sqrt(share / 2)

    def tied(others: range, among: int) -> list[PointResult[T]]:
        margins = {other: compared(other, among) for other in others}
        return [points[other] for other, (apart, least) in margins.items() if apart <= least]

    among = num_finalists or len(points)
    return Noise(
        deviation=deviation,
        degrees=degrees,
        least_difference=compared(1, among)[1] if among > 1 else None,
        tied=(best, *tied(range(1, among), among)),
        left_out=tuple(tied(range(among, len(points)), len(points))),
        confidence=confidence,
        blocks=blocks,
    )


def noise_in(ranking: Ranking[T]) -> Noise[T] | None:
    """The noise in a sweep, and who is tied, by the rules of its finals if it has any.

    Each of their looks at the results has its share of the error (Bonferroni): what is claimed at
    any of them is wrong at most as often as was stated.
    """
    if ranking.finals is None:
        return noise_of(ranking.points)
    confidence = ranking.finals.confidence_of_a_look
    return noise_of(ranking.points, num_finalists=len(ranking.finalists), confidence=confidence)


@cache  # it takes a tenth of a second
def tukey_quantile(confidence: float, among: int, degrees: int) -> float:
    """Of the studentised range of so many means."""
    from scipy.stats import studentized_range  # takes a moment

    return float(studentized_range.ppf(confidence, among, degrees))
