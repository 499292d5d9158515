"""What the trials of a sweep say about its points. A search that learns is told that."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from sweeper.record.state.trial import Trial
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.surface.observation import Observation


class Observer:
    """Observes a sweep's points again and again, and each time looks only at what is new."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self._seen: dict[int, tuple[list[tuple[Status, int]], Observation]] = {}

    def observations(self, trials: Sequence[Trial]) -> list[Observation]:
        """An observation of each point, in the order in which the trials (all so far) were
        created."""
        return list(self._observations(trials))

    def _observations(self, trials: Sequence[Trial]) -> Iterator[Observation]:
        repeats = self.spec.num_seeds
        for first in range(0, len(trials), repeats):
            alike = trials[first : first + repeats]
            version = [(trial.status, len(trial.evaluations)) for trial in alike]
            if (known := self._seen.get(first)) is None or known[0] != version:
                known = self._seen[first] = version, self._observation(alike)
            yield known[1]

    def _observation(self, alike: Sequence[Trial]) -> Observation:
        values = alike[0].values
        point = {key: values[key] for key in self.spec.space if key in values}
        if len(alike) < self.spec.num_seeds:
            return Observation(point, Status.RUNNING)
        return observe(self.spec, point, alike)


def observe(spec: SweepSpec, point: Point, trials: Sequence[Trial]) -> Observation:
    """What the trials of a point, one for each seed, say about it.

    If one of them diverged, the point counts as diverged; otherwise, if one was stopped, as
    stopped. Otherwise its value is the mean over the trials that completed. A trial that failed
    says nothing, unless all of them have failed.
    """
    told = [trial for trial in trials if trial.status is not Status.FAILED]
    if not told:
        return Observation(point, Status.FAILED)
    metric, clock = spec.objective.metric, spec.scheduler.clock
    curves = [trial.curve(metric, clock) for trial in told]
    common = sorted(set(curves[0]).intersection(*curves[1:]))
    curve = tuple((time, fmean(curve[time] for curve in curves)) for time in common)
    if any(not (trial.status.ended or trial.status is Status.PAUSED) for trial in trials):
        return Observation(point, Status.RUNNING, curve=curve)
    statuses = {trial.status for trial in told}
    if Status.DIVERGED in statuses:
        return Observation(point, Status.DIVERGED, curve=curve)
    if statuses != {Status.COMPLETED}:
        return Observation(point, Status.STOPPED, curve=curve)
    values = [last.value(metric) if (last := t.last_evaluation) else None for t in told]
    found = [value for value in values if value is not None]
    value = fmean(found) if len(found) == len(values) else None
    return Observation(point, Status.COMPLETED, value, curve)
