"""One replay: a sweep's own scheduler and search, with recorded curves in place of training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.backtest.recording import Field
from sweeper.spec.clock import Clock
from sweeper.status import Status
from sweeper.strategy.schedulers.scheduler import Fifo, Scheduler
from sweeper.strategy.simulation import Choose, Seen, simulate


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is drawn anew for each replay, the same for every strategy."""

    number: int  # of the replay; seeds whatever else is drawn
    order: tuple[int, ...]  # of the settings
    slots: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a sweep has trained, and what it names."""

    steps: Sequence[int]  # of each setting
    ends: Sequence[Status]  # of each setting; PENDING: it was never begun
    seconds: float
    named: int | None  # the setting; None: no trial came to its end


def replay(
    field: Field,
    draw: Draw,
    scheduler: Scheduler,
    *,
    clock: Clock = "step",
    choose: Choose | None = None,
    num_trials: int | None = None,
) -> Outcome:
    """A sweep over these curves.

    Args:
        choose: The setting to try next; None: in the order that was drawn.
        num_trials: How many are tried at most.
    """
    order = draw.order[:num_trials] if choose is None else draw.order
    jobs, values = field.jobs(clock), field.values

    def chosen(seen: Sequence[Seen]) -> int | None:
        assert choose is not None
        found = choose([one._replace(job=order[one.job]) for one in seen])
        return None if found is None else order.index(found)

    simulated = simulate(
        [jobs[setting] for setting in order],
        scheduler,
        draw.slots,
        lambda job, place: values[order[job]][place],
        None if choose is None else chosen,
        num_trials,
    )
    steps, ends = [0] * len(jobs), [Status.PENDING] * len(jobs)
    for setting, step, end in zip(order, simulated.steps, simulated.ends, strict=True):
        steps[setting], ends[setting] = step, end
    completed = [setting for setting in order if ends[setting] is Status.COMPLETED]
    best = min(completed, key=field.score, default=None)
    named = None if best is None or math.isinf(field.score(best)) else best
    return Outcome(steps=steps, ends=ends, seconds=simulated.seconds, named=named)


def full_runs(field: Field, draw: Draw, settings: Sequence[int], named: int | None) -> Outcome:
    """These settings to their ends, for a strategy that picks and names them by itself."""
    picked = Draw(number=draw.number, order=tuple(settings), slots=draw.slots)
    outcome = replay(field, picked, Fifo())
    return Outcome(steps=outcome.steps, ends=outcome.ends, seconds=outcome.seconds, named=named)
