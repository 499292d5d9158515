"""The points of learning curves: which are drawn of a trial, and where they lie along each axis."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sweeper.analysis.reading.sweep_data import Evaluation, TrialData
from sweeper.views.report.figures.figure import short

T = TypeVar("T")
Coordinates = list[float | None]


def finite(trial: TrialData) -> list[Evaluation]:
    return [evaluation for evaluation in trial.evaluations if evaluation.value is not None]


def own(trial: TrialData) -> list[Evaluation]:
    """What is drawn of a trial: a fork's line leaves its trunk's where the two part."""
    begins = 0 if (at := trial.parted_at) is None else at.step
    return [evaluation for evaluation in finite(trial) if evaluation.step >= begins]


def thinned(evaluations: Sequence[Evaluation], limit: int) -> list[Evaluation]:
    """At most `limit` of them, evenly spread, with the first and the last."""
    if len(evaluations) <= limit:
        return list(evaluations)
    last = len(evaluations) - 1
    return [evaluations[round(index * last / (limit - 1))] for index in range(limit)]


def gapped(
    trials: Sequence[TrialData], limit: int, of: Callable[[TrialData, Evaluation], T | None]
) -> list[T | None]:
    """`of` every point of every trial, with a gap (None) after each trial."""
    return [
        item
        for trial in trials
        for item in [*(of(trial, e) for e in thinned(own(trial), limit)), None]
    ]


def along(axis: str, trial: TrialData, evaluation: Evaluation) -> float | None:
    match axis:
        case "seconds":
            return short(evaluation.seconds, 4)
        case "tokens":
            pace = trial.tokens_per_step
            return None if pace is None else evaluation.step * pace
        case "flops":
            pace = trial.flops_per_step
            return None if pace is None else short(evaluation.step * pace, 5)
    return evaluation.step
