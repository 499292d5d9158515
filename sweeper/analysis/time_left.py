"""How long a sweep will still take, at its present speed: as is expected, and at most.

Nobody knows what the scheduler will stop. What is expected follows from the forecast that
`python -m sweeper plan` makes: how many of the trials that reach a rung reach the next one.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.clock import clock_per_step
from sweeper.spec.trainer.config import AnyConfig, flops_per_step
from sweeper.status import Status
from trainable.loop.metrics import Metrics

if TYPE_CHECKING:
    from sweeper.plan.cost.forecast import RungForecast
    from sweeper.plan.plan import Plan


@dataclass(frozen=True)
class TimeLeft:
    """Seconds from now to the end of the last trial, without the starting of actors."""

    expected: float
    at_most: float  # if nothing were stopped any more


@dataclass(frozen=True)
class Work:
    """What a trial still has to do, in FLOPs."""

    expected: float
    at_most: float


class TimeLeftEstimator:
    def __init__(self, plan: "Plan") -> None:
        self.plan = plan

    @cached_property
    def rungs(self) -> Sequence["RungForecast"]:
        """The forecast of the rungs, in order. It takes some tenths of a second."""
        from sweeper.plan.cost.forecast import forecast  # only a sweep that runs needs it
        from sweeper.plan.cost.shapes import Machine

        machine = Machine(slots=1, free_memory=None)
        return forecast(self.plan, machine, {}).rungs

    def time_left(self, state: SweepState) -> TimeLeft | None:
        """None while nothing is known about the speed."""
        speed = speed_of(state)
        if speed is None:
            return None
        work = [self._work(trial.config, trial) for trial in _unfinished(state)]
        if state.may_have_more(len(self.plan.trials)):
            to_come = [t for t in self.plan.trials if t.trial_id not in state.trials]
            promised = state.checkpoints.promised
            for planned in to_come:
                fork = promised.get(planned.trial_id)
                work.append(self._work(planned.config, None, begins=fork.step if fork else 0))
        slots = slots_of(state)
        return TimeLeft(
            expected=seconds_on_slots((w.expected / speed for w in work), slots),
            at_most=seconds_on_slots((w.at_most / speed for w in work), slots),
        )

    def _work(self, config: AnyConfig, trial: Trial | None, begins: int = 0) -> Work:
        """
        Args:
            begins: Where a trial forks that is not created yet.
        """
        per_step = clock_per_step(config, self.plan.spec.scheduler.clock)
        end, now = config.max_steps * per_step, max(step_of(trial), begins) * per_step
        will_go_on = trial is None or trial.status is not Status.PAUSED
        clock = clock_left(self.rungs, now, end, will_go_on=will_go_on)
        work_per_clock = work_of_a_step(config) / per_step
        return Work(clock * work_per_clock, (end - now) * work_per_clock)


def clock_left(rungs: Sequence["RungForecast"], now: int, end: int, *, will_go_on: bool) -> float:
    """How far beyond `now` a trial is expected to come, on the scheduler's clock.

    Args:
        rungs: The rungs and the end, each with the number of trials that are expected to reach it.
        will_go_on: Whether it certainly trains to the next rung; a paused one has yet to earn that.
    """
    past = [rung.expected_trials for rung in rungs if rung.at <= now]
    stops = [(rung.at, rung.expected_trials) for rung in rungs if now < rung.at < end]
    # Trials of other lengths have ends of their own: this end is as likely as the next one's stop.
    stops.append((end, next((r.expected_trials for r in rungs if r.at >= end), 0.0)))
    reaching = stops[0][1] if will_go_on or not past else past[-1]
    left, position = 0.0, now
    for at, trials in stops:
        left += (at - position) * min(1.0, trials / reaching if reaching else 0.0)
        position = at
    return left


def seconds_on_slots(durations: Iterable[float], slots: int) -> float:
    """The time until the last of these pieces of work is done, if each is taken, in order, by the
    first slot that is free."""
    free = [0.0] * max(1, slots)
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def speed_of(state: SweepState) -> float | None:
    """The work of a trial in a second, evaluations included: the mean over those that run now, or,
    before these have measured anything, over all that have."""
    measured = [(trial, newest) for trial in state.trials.values() if (newest := _newest(trial))]
    running = [(t, newest) for t, newest in measured if t.status is Status.RUNNING]
    work = seconds = 0.0
    for trial, newest in running or measured:
        work += newest.step * work_of_a_step(trial.config)
        seconds += newest.train_seconds or 0.0
    return work / seconds if seconds else None


def slots_of(state: SweepState) -> int:
    """How many trials run at a time, as the session noted when it began."""
    placement = state.sessions[-1].environment.placement if state.sessions else None
    return 1 if placement is None else placement.slots


def work_of_a_step(config: AnyConfig) -> int:
    """Its FLOPs; of another trainer, where nobody knows them, a step."""
    return flops_per_step(config) or 1


def step_of(trial: Trial | None) -> int:
    """The newest step of the trial that is known; a fork has the first ones from its trunk."""
    if trial is None:
        return 0
    newest = _newest(trial)
    return max(trial.forked_at, newest.step if newest else 0)


def _newest(trial: Trial) -> Metrics | None:
    return trial.progress or trial.last_evaluation


def _unfinished(state: SweepState) -> list[Trial]:
    """The trials that have not ended, the running ones first."""
    left = [trial for trial in state.trials.values() if not trial.status.ended]
    return sorted(left, key=lambda trial: trial.status is not Status.RUNNING)
