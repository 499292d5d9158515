"""`delete NAME --checkpoints`: free the disk of checkpoints that nothing will go on from."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.analysis.monitor import Monitor
from sweeper.errors import RunFolderError
from sweeper.record.journal import Journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import CheckpointRemoved, now
from sweeper.record.tables import write_tables


@dataclass(frozen=True)
class Deletion:
    """One checkpoint on disk that may go."""

    trial_id: str
    path: Path
    num_bytes: int


def deletable(monitor: Monitor, *, with_best: bool) -> list[Deletion]:
    """The checkpoints on disk of trials that have ended, except what a resume would go on from and,
    unless it is asked for, the newest checkpoint of the winner."""
    found, best = [], monitor.best
    for trial in monitor.state.trials.values():
        if not trial.status.ended:
            continue
        kept = trial.checkpoint if trial is best and not with_best else None
        for folder in monitor.folder.checkpoint_folders(trial.trial_id):
            if folder.name != kept:
                size = monitor.folder.checkpoint_bytes(trial.trial_id, folder.name)
                found.append(Deletion(trial.trial_id, folder, size))
    return found


def delete_checkpoints(folder: RunFolder, *, with_best: bool) -> int:
    """Delete them; each is recorded before it goes. Returns the bytes that were freed.

    Raises:
        RunFolderError: the sweep runs, or the folder cannot be written.
    """
    try:
        with folder.locked():
            monitor = Monitor(folder)
            monitor.is_running = False  # the lock is ours
            monitor.state.interrupt()
            deletions = deletable(monitor, with_best=with_best)
            _delete(folder, monitor, deletions)
    except OSError as error:
        raise RunFolderError(
            f"{folder.path}: cannot be written ({error.strerror}); nothing more was deleted"
        ) from None
    return sum(deletion.num_bytes for deletion in deletions)


def _delete(folder: RunFolder, monitor: Monitor, deletions: Sequence[Deletion]) -> None:
    journal = Journal(folder)
    try:
        for deletion in deletions:
            removed = CheckpointRemoved(
                time=now(), trial=deletion.trial_id, checkpoint=deletion.path.name
            )
            journal.append(removed)
            journal.commit()
            monitor.state.apply(removed)
            shutil.rmtree(deletion.path)
            folder.store.delete(deletion.path)
        write_tables(monitor.state, folder)
    finally:
        journal.close()
