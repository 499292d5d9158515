"""Which failure of a trial is its last."""

from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.spec.sweep_spec import SweepSpec

# In a row, without having come any further: it may be the trial that takes its nodes down.
MOST_LOSSES = 4
_LOST_TOO_OFTEN = (
    f"That was the {MOST_LOSSES + 1}th time in a row that it was cut short by no failure of its "
    "own, and it had not come to another checkpoint in between. Where its nodes were lost, it may "
    "itself take them down, by the memory that it needs."
)


def last_error(
    trial: Trial, spec: SweepSpec, folder: RunFolder, error: str, *, counted: bool
) -> str | None:
    """The error that the trial ends with; None if it is tried again.

    Args:
        counted: Whether this is one of the failures that a trial may have.
    """
    if not counted and trial.losses_in_a_row >= MOST_LOSSES:
        again = f"python -m sweeper resume {folder.called} --retry-failed"
        return f"{error}\n\n{_LOST_TOO_OFTEN} To try it again: {again}"
    return error if counted and trial.failures >= spec.max_retries else None
