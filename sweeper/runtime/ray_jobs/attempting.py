"""The next attempt at a submitted sweep."""

import secrets
import time

from sweeper.analysis.monitor import Monitor
from sweeper.errors import ResourceError
from sweeper.record.run_folder import RunFolder
from sweeper.record.stores.places import address_of
from sweeper.record.submission.attempts import (
    Attempt,
    End,
    finish_stop,
    record_attempt,
    record_end,
)
from sweeper.runtime.ray_jobs.client import Jobs
from sweeper.spec.operating.tracking import WandbMode

STOP_SECONDS = 20  # that a driver takes to end, beside what its program is granted


def start_attempt(
    monitor: Monitor, jobs: Jobs, *, by_hand: bool, wandb: WandbMode | None = None
) -> Attempt | None:
    """Start the job that goes on with the sweep. None: somebody else has.

    Args:
        wandb: None: as in the attempt before.

    Raises:
        UserError: the bucket or the cluster does not answer.
    """
    folder = monitor.folder
    finish_stop(folder)
    standing = monitor.standing
    number = len(standing.attempts) + 1
    attempt = Attempt(
        number=number,
        job=f"sweeper-{folder.name}-{number}-{secrets.token_hex(3)}",
        by_hand=by_hand,
        submitted=time.time(),
        sessions=standing.sessions,
        work=standing.work,
        wandb=wandb or (standing.attempts[-1].wandb if standing.attempts else "off"),
    )
    # First: a job that nobody knows of could not be told from one that somebody else has started.
    if not record_attempt(folder, attempt):
        return None
    runs = runs_of(folder)
    trainer = monitor.state.spec.trainer
    grace = 0 if trainer is None else int(trainer.stop.grace_s)
    try:
        jobs.start(
            attempt.job,
            ["python", "-m", "sweeper", "work", folder.name, str(number), "--runs", runs],
            about={"sweep": folder.name, "runs": runs},
            stop_seconds=STOP_SECONDS + grace,
        )
    except ResourceError as error:
        record_end(folder, attempt, End(how="not started", said=str(error)))
        raise
    return attempt


def runs_of(folder: RunFolder) -> str:
    """Where the sweep is, for another machine."""
    runs = folder.path.resolve().parent
    return address_of(runs) or str(runs)
