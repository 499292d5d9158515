"""Whether a point is ahead by more than noise: Tukey's test on a ranking."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Generic

from sweeper.record.ranking import Ranking, competing
from sweeper.record.results.blocks import Blocks
from sweeper.record.results.point_result import PointResult, T

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Noise(Generic[T]):
    """How much the seed alone changes the objective, and which points that leaves tied."""

    deviation: float  # pooled over the points that compete
    degrees: int  # degrees of freedom
    tied: tuple[PointResult[T], ...]  # the best, and those that the test cannot tell from it
    least_difference: float | None = None  # that would part the first two; None if there is one
    left_out: tuple[PointResult[T], ...] = ()  # tied with it too, but not among the finalists
    confidence: float = CONFIDENCE  # of this one look at the results
    blocks: Blocks | None = None  # where points are compared seed by seed

    def compared(
        self, one: PointResult[T], other: PointResult[T], among: int
    ) -> tuple[float, float]:
        """How far apart they are, and how far they have to be, of so many that were looked at."""
        blocks = self.blocks
        if blocks is not None and one in blocks and other in blocks:
            quantile = tukey_quantile(self.confidence, among, blocks.degrees)
            least = quantile * blocks.deviation * math.sqrt(blocks.variance(one, other) / 2)
            return abs(blocks.level(one) - blocks.level(other)), least
        share = 1 / len(one.values) + 1 / len(other.values)
        quantile = tukey_quantile(self.confidence, among, self.degrees)
        return abs(one.mean - other.mean), quantile * self.deviation * math.sqrt(share / 2)


def noise_of(
    points: Sequence[PointResult[T]],
    *,
    num_racing: int = 0,
    num_finalists: int = 0,
    blocks: Blocks | None = None,
    confidence: float = CONFIDENCE,
) -> Noise[T] | None:
    """The noise, and the points that Tukey's test cannot tell from the best.

    The deviation is pooled over the better half of the points, which compete, on the assumption
    that seeds move these alike. A mean tells nothing of the deviation around it, so to choose
    points by their means makes no deviation smaller.

    The test is Tukey's honestly significant difference, in Kramer's form for unequal numbers, which
    errs on the safe side (Hayter 1984). It holds for all pairs at once, and has to: the best point
    was picked after looking at all of them. A point of which a seed diverged is tied with none of
    which no seed did: what its others came to is not what to expect of it.

    Args:
        points: In their order of merit.
        num_racing: How many of them, the first, may be tied; 0: all.
        num_finalists: Among how many, the first, the best was picked; 0 if there are no finals.
        blocks: By which points are compared, where their seeds allow it.

    Returns:
        None if no point that competes has two completed seeds.
    """
    spread = spread_of(competing(points, num_finalists))
    if spread is None:
        return None
    deviation, degrees = spread
    best = points[0]
    noise = Noise(
        deviation=deviation,
        degrees=degrees,
        tied=(best,),
        confidence=confidence,
        blocks=blocks,
    )

    def tied(others: Sequence[PointResult[T]], among: int) -> Iterator[PointResult[T]]:
        for other in others:
            apart, least = noise.compared(best, other, among)
            if apart <= least and other.has_diverged == best.has_diverged:
                yield other

    among = num_finalists or len(points)
    return replace(
        noise,
        least_difference=noise.compared(best, points[1], among)[1] if among > 1 else None,
        tied=(best, *tied(points[1 : num_racing or len(points)], among)),
        left_out=tuple(tied(points[among:], len(points))),
    )


def spread_of(points: Iterable[PointResult[T]]) -> tuple[float, int] | None:
    """The deviation over the seeds, pooled over these points, and its degrees of freedom; None if
    none of them has two completed seeds."""
    deviations = [(p.deviation, len(p.values) - 1) for p in points]
    degrees = sum(own for _, own in deviations)
    squares = sum((deviation or 0.0) ** 2 * own for deviation, own in deviations)
    return (math.sqrt(squares / degrees), degrees) if degrees else None


def noise_in(ranking: Ranking[T]) -> Noise[T] | None:
    """The noise in a sweep, and who is tied, by the rules of its finals if it has any.

    Each of their looks at the results has its share of the error (Bonferroni): what is claimed at
    any of them is wrong at most as often as was stated.
    """
    if ranking.finals is None:
        return noise_of(ranking.points, blocks=ranking.blocks)
    confidence = ranking.finals.confidence_of_a_look
    if len(ranking.finals.points) < 2:  # they have not begun, or one stood out before them
        return noise_of(ranking.points, blocks=ranking.blocks, confidence=confidence)
    return noise_of(
        ranking.points,
        num_racing=len(ranking.racing),
        num_finalists=len(ranking.finalists),
        blocks=ranking.blocks,
        confidence=confidence,
    )


@cache  # it takes a tenth of a second
def tukey_quantile(confidence: float, among: int, degrees: int) -> float:
    """Of the studentised range of so many means."""
    from scipy.stats import studentized_range  # takes a moment

    return float(studentized_range.ppf(confidence, among, degrees))
