"""What early stopping did: who was kept at each rung, and what that saved."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.record.state.arrivals import Arrival
from sweeper.status import Status


@dataclass(frozen=True, kw_only=True)
class RungRow:
    """One rung. A trial that waits there to be promoted is neither kept nor stopped."""

    rung: int
    kept: tuple[str, ...]  # ids, best first
    stopped: tuple[str, ...]
    waiting: tuple[str, ...]
    best: float | None
    cutoff: float | None  # the worst value that was kept

    @property
    def reached(self) -> int:
        return len(self.kept) + len(self.stopped) + len(self.waiting)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What was spent, and what training every trial to its end would have cost."""

    spent: float
    full: float

    @property
    def saved(self) -> float:
        """As a share of the full cost."""
        return 1 - self.spent / self.full if self.full else 0.0


@dataclass(frozen=True, kw_only=True)
class Savings:
    """Of the trials that have ended and not failed. Full seconds are reckoned at each trial's own
    pace."""

    num_trials: int
    tokens: Saving | None
    flops: Saving | None
    seconds: Saving | None


def rungs_of(sweep: SweepData) -> tuple[RungRow, ...]:
    """A row for each rung, from the lowest up."""
    rungs: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in sweep.arrivals:
        rungs[arrival.rung].append(arrival)
    return tuple(_row(sweep, rung, rungs[rung]) for rung in sorted(rungs))


def _row(sweep: SweepData, rung: int, arrivals: Sequence[Arrival]) -> RungRow:
    def merit(arrival: Arrival) -> tuple[bool, float]:
        return arrival.value is None, sweep.sign * (arrival.value or 0.0)

    ranked = sorted(arrivals, key=merit)
    kept = [arrival for arrival in ranked if arrival.kept]
    return RungRow(
        rung=rung,
        kept=tuple(a.trial_id for a in kept),
        stopped=tuple(a.trial_id for a in ranked if a.kept is False),
        waiting=tuple(a.trial_id for a in ranked if a.kept is None),
        best=ranked[0].value,
        cutoff=kept[-1].value if kept else None,
    )


def savings_of(sweep: SweepData) -> Savings | None:
    """None while no trial has ended."""
    counted = {Status.COMPLETED, Status.STOPPED, Status.DIVERGED}
    trials = [t for t in sweep.trials if t.status in counted and t.evaluations and t.max_steps]
    if not trials:
        return None
    return Savings(
        num_trials=len(trials),
        tokens=_cost(trials, [trial.tokens_per_step for trial in trials]),
        flops=_cost(trials, [trial.flops_per_step for trial in trials]),
        seconds=_cost(trials, [_seconds_per_step(trial) for trial in trials]),
    )


def _seconds_per_step(trial: TrialData) -> float | None:
    return trial.seconds / trial.step if trial.seconds is not None and trial.step else None


def _cost(trials: Sequence[TrialData], per_step: Sequence[float | None]) -> Saving | None:
    """None if one trial's pace is not known."""
    spent = full = 0.0
    for trial, pace in zip(trials, per_step, strict=True):
        if pace is None or trial.max_steps is None:
            return None
        spent += trial.own_share * trial.step * pace  # the rest was spent by another trial
        full += trial.max_steps * pace
    return Saving(spent=spent, full=full)
