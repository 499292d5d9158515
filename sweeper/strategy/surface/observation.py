"""What a sweep has learnt about a point: all that a searcher is told."""

from dataclasses import dataclass

from sweeper.spec.points import Point
from sweeper.status import Status

CALIBRATION = 6  # so many curves to their ends before any other is forecast


@dataclass(frozen=True)
class Observation:
    """A point, and what became of its trials, one for each of `seeds:`.

    `status` is RUNNING until all of them have ended or wait at a rung; then it is COMPLETED,
    STOPPED, DIVERGED or FAILED. Its curve goes as far as all of them have come.
    """

    point: Point
    status: Status
    value: float | None = None  # of the objective, where completed; None: it is missing
    curve: tuple[tuple[int, float], ...] = ()  # the objective over the time on the sweep's clock
