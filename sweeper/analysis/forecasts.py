"""Where trials that have not come to their ends will end, or would have ended: what every view of a
sweep shows of that."""

from dataclasses import dataclass

from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.scheduler_spec import PbtSpec
from sweeper.spec.sweep_spec import sign_of
from sweeper.status import Status
from sweeper.strategy.surface.observation import CALIBRATION, Observation

_UNFINISHED = (
    Status.PENDING,
    Status.RUNNING,
    Status.PAUSED,
    Status.INTERRUPTED,
    Status.STOPPED,
)


@dataclass(frozen=True)
class Forecast:
    """The objective at a trial's end, in its own units: it lies within 1.645 deviations of the mean
    with a chance of 90 %."""

    mean: float
    deviation: float

    @property
    def half_width(self) -> float:
        """Of the interval of 90 %."""
        return 1.645 * self.deviation


def forecasts_of(state: SweepState) -> dict[str, Forecast]:
    """Of each trial that has been evaluated and has not come to its end; the others are left out.
    Empty until enough trials have come to theirs, and under `pbt`, where settings change."""
    trials = list(state.trials.values())
    begun = [trial for trial in trials if trial.status in _UNFINISHED and trial.evaluations]
    completed = [trial for trial in trials if trial.status is Status.COMPLETED]
    pbt = isinstance(state.spec.scheduler, PbtSpec)
    if not begun or len(completed) < CALIBRATION or pbt:
        return {}
    from sweeper.strategy.surface.courses import Courses  # scipy takes a moment

    sign = sign_of(state.spec.objective.mode)
    told = [*completed, *begun]
    finals = Courses(state.spec).finals([_observation(state, trial) for trial in told])
    return {
        trial.trial_id: Forecast(sign * final.value, final.deviation)
        for trial, final in zip(told, finals, strict=True)
        if final is not None and trial.status is not Status.COMPLETED
    }


def _observation(state: SweepState, trial: Trial) -> Observation:
    """A trial by itself, whatever other seeds its point has."""
    point = {key: trial.values[key] for key in state.spec.space if key in trial.values}
    metric = state.spec.objective.metric
    curve = tuple(trial.curve(metric, state.spec.scheduler.clock).items())
    last = trial.last_evaluation
    value = None if last is None else last.value(metric)
    status = trial.status if trial.status.ended else Status.RUNNING
    return Observation(point, status, value if status is Status.COMPLETED else None, curve)
