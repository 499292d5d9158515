"""Who has won, by how much, and whether that is more than noise."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.summary.sweep_data import SweepData, TrialData
from sweeper.spec.points import Point
from sweeper.status import Status

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """A point of the space, and what its trials, one for each seed, reached at their ends."""

    point: Point
    trials: tuple[TrialData, ...]
    completed: tuple[TrialData, ...]  # those of them that completed: at least one, best first

    @property
    def values(self) -> list[float]:
        return [trial.value for trial in self.completed if trial.value is not None]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Over the seeds; None if fewer than two have completed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def is_flattered(self) -> bool:
        """Whether some seeds were stopped or diverged: then the mean is of the good ones only."""
        return any(t.status in {Status.STOPPED, Status.DIVERGED} for t in self.trials)


@dataclass(frozen=True, kw_only=True)
class Margin:
    """By how much the winner is ahead of the next: at their ends, or at the last step at which both
    were evaluated."""

    point: Point
    trial_id: str
    value: float
    step: int | None = None  # None means at their ends


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How much the seed alone changes the objective, and which points that leaves tied."""

    deviation: float  # pooled over the points
    degrees: int  # degrees of freedom
    least_difference: float | None  # that would part the first two points; None if there is one
    tied: tuple[PointResult, ...]  # the best, and those that the test cannot tell from it


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best point. `noise` is None if no point was repeated: then nothing is known about it."""

    best: PointResult
    margin: Margin | None
    noise: Noise | None

    @property
    def trial(self) -> TrialData:
        """The best of its trials, whose weights are the ones to take."""
        return self.best.completed[0]


def points_of(sweep: SweepData) -> list[PointResult]:
    """The points that have a completed trial, best first by the mean over their seeds."""
    trials: dict[str, list[TrialData]] = {}
    for trial in sweep.trials:
        trials.setdefault(sweep.repeats(trial), []).append(trial)
    results = []
    for same in trials.values():
        completed = [t for t in same if t.status is Status.COMPLETED and t.value is not None]
        completed.sort(key=lambda trial: sweep.sign * (trial.value or 0.0))
        if completed:
            result = PointResult(
                point=same[0].point, trials=tuple(same), completed=tuple(completed)
            )
            results.append(result)
    return sorted(results, key=lambda result: sweep.sign * result.mean)


def winner_of(sweep: SweepData, points: Sequence[PointResult]) -> Winner | None:
    """None while no trial has completed."""
    if not points:
        return None
    if len(points) > 1:
        first, second = points[:2]
        difference = abs(second.mean - first.mean)
        margin: Margin | None = Margin(
            point=second.point, trial_id=second.completed[0].trial_id, value=difference
        )
    else:
        margin = _margin_on_the_way(sweep, points[0])
    return Winner(best=points[0], margin=margin, noise=noise_of(points))


def _margin_on_the_way(sweep: SweepData, best: PointResult) -> Margin | None:
    """The margin to the best trial that did not complete, at the last step that it shares with the
    winner."""
    winner = best.completed[0]
    at = {e.step: e.value for e in winner.evaluations if e.value is not None}
    for trial in sweep.trials:  # best first
        if trial.point == best.point:
            continue
        for evaluation in reversed(trial.evaluations):
            if evaluation.value is not None and evaluation.step in at:
                difference = abs(evaluation.value - at[evaluation.step])
                return Margin(
                    point=trial.point,
                    trial_id=trial.trial_id,
                    value=difference,
                    step=evaluation.step,
                )
    return None


def noise_of(points: Sequence[PointResult]) -> Noise | None:
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

    def least_difference(other: PointResult) -> float:
        share = 1 / len(best.values) + 1 / len(other.values)
        return quantile * deviation * math.sqrt(share / 2)

    tied = [best] + [p for p in points[1:] if abs(p.mean - best.mean) <= least_difference(p)]
    return Noise(
        deviation=deviation,
        degrees=degrees,
        least_difference=least_difference(points[1]),
        tied=tuple(tied),
    )
