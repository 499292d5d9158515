"""What a sweep does next when a slot is free. The engine and the simulation both ask here."""

from collections.abc import Collection
from enum import Enum

from sweeper.strategy.schedulers.scheduler import Promotion, Scheduler


class Step(Enum):
    """What there is to do, if it is not to promote a trial."""

    CREATE = "create the next trial"
    END = "end the paused trials: no other trial comes, so they have lost"
    WAIT = "wait: there is nothing to do, or not yet"


def next_step(
    scheduler: Scheduler, paused: Collection[str], *, more: bool, busy: bool, completed: bool
) -> Promotion | Step:
    """First promote a trial that has earned it; if there is none, create the next trial. If none is
    left to create, none runs and none has completed, the favourite goes on, since a sweep needs one
    that completes. Then it ends.

    Args:
        more: Whether a trial is left to create.
        busy: Whether any trial runs, or is about to.
        completed: Whether any trial has completed.
    """
    if paused and (promotion := scheduler.promotion(paused, more=more)) is not None:
        return promotion
    if more:
        return Step.CREATE
    if not paused or busy:
        return Step.WAIT
    favourite = None if completed else scheduler.favourite(paused)
    return Step.END if favourite is None else favourite
