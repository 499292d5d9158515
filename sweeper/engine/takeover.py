"""A trial takes over from another: under population based training its checkpoint, with values near
its values; where it forks from a trunk, the checkpoint alone. The files are made first, then the
event is written. After a kill in between, the next attempt makes exactly the same files again:
until then both trials stay paused, or the fork is not created and its trunk keeps the
checkpoint."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sweeper.engine.upcoming.forking import Beginning
from sweeper.errors import StorageError
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import rows_until, write_metrics
from sweeper.record.progress import Progress
from sweeper.record.run_folder import RunFolder, write_json
from sweeper.record.state.checkpoints import CheckpointAccount, Stored
from sweeper.record.state.events import Exploited, ForkedOff, TrialCreated, now
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.scheduler_spec import PbtSpec
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.schedulers.exploration import explore
from trainable.atomic_file import flush


def take_over(
    folder: RunFolder, plan: Plan, trial: Trial, source: Trial, rung: int, checkpoint: str
) -> Exploited:
    """Put the source's checkpoint into the trial's folder, as `checkpoint`, and the new config.
    Returns the event that says so.

    Raises:
        StorageError: the checkpoint is not there, or cannot be copied.
    """
    assert source.checkpoint is not None, "a trial pauses with a checkpoint"
    theirs = folder.checkpoint(source.trial_id, source.checkpoint)
    copy_checkpoint(folder, theirs, trial.trial_id, checkpoint, source.checkpoint_step)
    values, config = explore(
        plan.spec, source.values, source.config, trial=int(trial.trial_id), rung=rung
    )
    write_json(folder.trial_config(trial.trial_id), config.to_dict())
    return Exploited(
        time=now(),
        trial=trial.trial_id,
        rung=rung,
        source=source.trial_id,
        source_checkpoint=source.checkpoint,
        checkpoint=checkpoint,
        step=source.checkpoint_step,
        bytes=folder.checkpoint_bytes(trial.trial_id, checkpoint),
        values=values,
        config=config.to_dict(),
    )


def begin(folder: RunFolder, state: SweepState, beginning: Beginning) -> TrialCreated:
    """Make the files of a trial that is created: its config, and what it has from a trial of
    another sweep or from its trunk. Returns the event that says so.

    Raises:
        StorageError: the trunk's checkpoint is not there, or cannot be copied.
        OSError: a file cannot be written; its name says which.
    """
    planned, source = beginning.planned, beginning.source
    trial_id, config = planned.trial_id, planned.config.to_dict()
    earlier = None if state.warm_start is None else state.warm_start.trial_with(config)
    measured = [] if earlier is None else list(earlier.evaluations)
    if source is not None and source.step is not None:
        measured = rows_until(folder, state.trials[source.trial_id], source.step)
    path = folder.trial_config(trial_id)
    try:
        write_json(path, config)
        if measured:
            path = folder.trial_metrics(trial_id)
            write_metrics(path, measured)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    drop_unrecorded_checkpoints(folder, state.checkpoints, [trial_id])
    return TrialCreated(
        time=now(),
        id=trial_id,
        values=planned.values,
        config=config,
        taken=earlier.id if earlier else None,
        forks=dict(beginning.forks),
        fork=None if source is None else _fork_off(folder, state.checkpoints, source, trial_id),
    )


def _fork_off(
    folder: RunFolder, account: CheckpointAccount, source: Stored, trial_id: str
) -> ForkedOff:
    assert source.step is not None, "it was promised by its step"
    name = account.next_name(trial_id)
    theirs = folder.checkpoint(source.trial_id, source.name)
    copy_checkpoint(folder, theirs, trial_id, name, source.step)
    return ForkedOff(
        source=source.trial_id,
        source_checkpoint=source.name,
        step=source.step,
        checkpoint=name,
        bytes=folder.checkpoint_bytes(trial_id, name),
    )


def copy_checkpoint(
    folder: RunFolder, theirs: Path, trial_id: str, name: str, step: int | None
) -> None:
    """
    Raises:
        StorageError: it is not there, or cannot be copied.
    """
    try:
        ours = folder.checkpoint(trial_id, name)
        _copy(theirs, ours, step)
        folder.store.copy(theirs, ours)
    except (OSError, shutil.Error) as error:
        raise StorageError(
            f"{theirs}: trial {trial_id} cannot take it over ({error}); "
            f"{folder.remedy} or put it back, then: "
            f"python -m sweeper resume {folder.called}"
        ) from error


def _copy(source: Path, target: Path, step: int | None) -> None:
    """Copy it, whole or not at all; what an attempt before a kill has left there is replaced."""
    temporary = target.with_name(f".{target.name}")
    for leftover in (temporary, target):
        if leftover.exists():
            shutil.rmtree(leftover)
    shutil.copytree(source, temporary, copy_function=_link)
    if step is not None:  # what was measured on the way there belongs to the source
        Progress(step=step, metrics=()).write(temporary)
    os.rename(temporary, target)
    flush(target.parent)


def _link(source: str, target: str) -> None:
    """Give the file a second name: a file of a checkpoint is never written to again."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def lacks_rung_checkpoint(trial: Trial, spec: SweepSpec) -> bool:
    """Whether a trial was to pause at a rung but, because of a kill, has no checkpoint of that rung
    that another could take over."""
    return isinstance(spec.scheduler, PbtSpec) and trial.checkpoint_step != trial.step


def drop_unrecorded_checkpoints(
    folder: RunFolder, account: CheckpointAccount, trial_ids: Iterable[str]
) -> None:
    """Drop the checkpoints that a kill kept out of the journal: half a checkpoint, one of an
    unknown step, a copy whose event was not written. What they were made for is done once more.

    Raises:
        StorageError: one cannot be deleted.
    """
    for trial_id in trial_ids:
        names = [path.name for path in folder.checkpoint_folders(trial_id)]
        for name in account.strange(trial_id, names)[0]:
            path = folder.checkpoint(trial_id, name)
            try:
                folder.store.delete(path)
                shutil.rmtree(path)
            except OSError as error:
                raise StorageError(
                    f"{path}: cannot be deleted ({error.strerror}); {folder.remedy}, then: "
                    f"python -m sweeper resume {folder.called}"
                ) from error
