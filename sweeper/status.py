"""How a trial stands, what was decided on an evaluation, how a command ends."""

from enum import IntEnum, StrEnum


class Status(StrEnum):
    """How a trial stands. The last four are ends."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"  # at a rung, until it is promoted
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
    PAUSE = "pause"
    STOP = "stop"


class ExitCode(IntEnum):
    """How `python -m sweeper` ends."""

    DONE = 0
    FAILED = 1  # no trial succeeded, or the record could not be written
    USER_ERROR = 2
    INTERRUPTED = 130
