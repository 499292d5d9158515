"""The states of a trial and of a sweep."""

from enum import StrEnum


class Status(StrEnum):
    """Where a trial stands. The last four are ends."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # no end yet, and no driver
    COMPLETED = "completed"  # ran to max_steps
    STOPPED = "stopped"  # by the scheduler, early
    DIVERGED = "diverged"  # its loss is no number any more
    FAILED = "failed"  # an error, after every retry

    @property
    def ended(self) -> bool:
        return self in {Status.COMPLETED, Status.STOPPED, Status.DIVERGED, Status.FAILED}


class Decision(StrEnum):
    """What the scheduler answers to a report."""

    CONTINUE = "continue"
    STOP = "stop"
