"""What a sweep has learnt of a point: all that a searcher is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from sweeper.spec.clock import clock_per_step
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status

if TYPE_CHECKING:
    from sweeper.record.state.trial import Trial


@dataclass(frozen=True)
class Observation:
    """A point, and what became of its trials, one for each of `seeds:`.

    `status` is RUNNING until all have ended, or wait at a rung; then it is COMPLETED, STOPPED,
    DIVERGED or FAILED.
    """

    point: Point
    status: Status
    value: float | None = None  # of the objective, where completed; None: it is missing
    curve: tuple[tuple[int, float], ...] = ()  # the objective over the time on the sweep's clock

    def to_dict(self) -> dict[str, Any]:
        return {
            "values": self.point,
            "status": self.status.value,
            "value": self.value,
            "curve": [list(at) for at in self.curve],
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> "Observation":
        curve = tuple((time, value) for time, value in stated["curve"])
        return cls(stated["values"], Status(stated["status"]), stated["value"], curve)


def observe(spec: SweepSpec, point: Point, trials: "Sequence[Trial]") -> Observation:
    """What the trials of a point, one or more, say of it.

    One that diverged makes it a point that diverges. One that was stopped makes it a point that was
    stopped. Else its value is the mean over those that completed. A failure says nothing as long as
    another seed did not fail.
    """
    if any(not (trial.status.ended or trial.status is Status.PAUSED) for trial in trials):
        return Observation(point, Status.RUNNING)
    told = [trial for trial in trials if trial.status is not Status.FAILED]
    if not told:
        return Observation(point, Status.FAILED)
    curves = [_curve(spec, trial) for trial in told]
    common = sorted(set(curves[0]).intersection(*curves[1:]))
    curve = tuple((time, fmean(curve[time] for curve in curves)) for time in common)
    statuses = {trial.status for trial in told}
    if Status.DIVERGED in statuses:
        return Observation(point, Status.DIVERGED, curve=curve)
    if statuses != {Status.COMPLETED}:
        return Observation(point, Status.STOPPED, curve=curve)
    metric = spec.objective.metric
    values = [last.value(metric) if (last := t.last_evaluation) else None for t in told]
    found = [value for value in values if value is not None]
    value = fmean(found) if len(found) == len(values) else None
    return Observation(point, Status.COMPLETED, value, curve)


def _curve(spec: SweepSpec, trial: "Trial") -> dict[int, float]:
    pace = clock_per_step(trial.config, spec.scheduler.clock)
    metric = spec.objective.metric
    seen = ((evaluation.step, evaluation.value(metric)) for evaluation in trial.evaluations)
    return {step * pace: value for step, value in seen if value is not None}
