"""Makes storage agree with the account of checkpoints: what the journal has removed is deleted."""

import contextlib
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from sweeper.record.progress import read_progress
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.checkpoints import Stored, over_budget
from sweeper.record.state.events import CheckpointLanded, CheckpointRemoved, Event, now
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.trainer.config import num_params
from sweeper.status import Decision, Status

DELETIONS = 4  # at once


class CheckpointKeeper:
    """Keeps the checkpoints of one sweep at work."""

    def __init__(
        self,
        state: SweepState,
        folder: RunFolder,
        record: Callable[[Event], None],
        commit: Callable[[], None],
    ) -> None:
        """
        Args:
            record: Writes an event to the journal and applies it to `state`.
            commit: Has on storage what was recorded.
        """
        self.state = state
        self.folder = folder
        self.record = record
        self.commit = commit
        self.rules = state.spec.checkpoints
        self.gone: dict[str, list[Stored]] = {}  # by another's hand, and not told yet
        self._deletions = ThreadPoolExecutor(DELETIONS)
        self._running: set[str] = set()  # of thousands of trials, those to look at

    def started(self, trial_id: str) -> None:
        """The trial runs, and will write checkpoints."""
        self._running.add(trial_id)
        self.make_room()

    def landed(self, trial_id: str, name: str) -> None:
        """The trial has this checkpoint on storage."""
        self.record(self._landing(trial_id, name))
        self.tidy(trial_id)

    def compare_with_storage(self) -> None:
        """Put right what a kill left half done: a checkpoint without its event, a removal without
        its effect."""
        account = self.state.checkpoints
        shutil.rmtree(self.folder.removed, ignore_errors=True)
        for trial_id in self.state.trials:
            on_disk = self._on_disk(trial_id)
            self.note_gone(trial_id, on_disk)
            for name in account.strange(trial_id, on_disk)[0]:
                self.record(self._landing(trial_id, name, found=True))
            self._delete_removed(trial_id, on_disk)
        self.make_room()

    def note_gone(self, trial_id: str, on_disk: Collection[str]) -> None:
        """Record it where somebody has deleted a checkpoint of the trial."""
        for stored in list(self.state.checkpoints.of_trial.get(trial_id, ())):
            if stored.name not in on_disk:
                self._record_removal(stored)
                self.gone.setdefault(trial_id, []).append(stored)

    def has_any(self, trial_id: str) -> bool:
        """Whether the trial has a checkpoint on storage."""
        self.note_gone(trial_id, self._on_disk(trial_id))
        return self.state.checkpoints.newest(trial_id) is not None

    def tidy(self, trial_id: str) -> None:
        """Remove what this trial no longer needs, and what is beyond the budget."""
        self._delete_removed(trial_id, self._on_disk(trial_id))
        self.make_room()

    def make_room(self) -> None:
        """Remove checkpoints until the rest is within the budget, with the next checkpoint of each
        running trial counted in."""
        if self.rules.budget is None:
            return
        account, trials = self.state.checkpoints, self.state.trials
        self._running = {t for t in self._running if trials[t].status is Status.RUNNING}
        coming = sum(
            account.next_size(trial.trial_id, num_params(trial.config) or 1)
            for trial in map(trials.__getitem__, self._running)
            if trial.decision is Decision.CONTINUE and trial.step < trial.config.max_steps
        )
        statuses = {trial_id: trials[trial_id].status for trial_id in account.of_trial}
        standing = self.state.scheduler.standing
        for stored in over_budget(account, statuses, self.rules.budget, standing, coming):
            self._record_removal(stored)
            self._delete_removed(stored.trial_id, self._on_disk(stored.trial_id))

    def _record_removal(self, stored: Stored) -> None:
        self.record(CheckpointRemoved(time=now(), trial=stored.trial_id, checkpoint=stored.name))

    def _landing(self, trial_id: str, name: str, *, found: bool = False) -> CheckpointLanded:
        progress = read_progress(self.folder.checkpoint(trial_id, name))
        return CheckpointLanded(
            time=now(),
            trial=trial_id,
            checkpoint=name,
            bytes=self.folder.checkpoint_bytes(trial_id, name),
            step=progress.step if progress else None,
            found=found,
        )

    def _on_disk(self, trial_id: str) -> set[str]:
        return {path.name for path in self.folder.checkpoint_folders(trial_id)}

    def _delete_removed(self, trial_id: str, on_disk: set[str]) -> None:
        """Delete what the account has removed. A checkpoint that is landing now is left alone."""
        for name in self.state.checkpoints.strange(trial_id, on_disk)[1]:
            self._delete(trial_id, name)

    def _delete(self, trial_id: str, name: str) -> None:
        """Move it out of the trial's folder at once, so that nobody finds half of it, and delete it
        in a thread: gigabytes take seconds, in which the driver has other work."""
        self.commit()
        folder = self.folder.checkpoint(trial_id, name)
        doomed = self.folder.removed / f"{trial_id}-{name}"
        self.folder.removed.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):  # another session will try again
            self.folder.store.hide(folder)
            folder.rename(doomed)

        def delete() -> None:
            with contextlib.suppress(OSError):
                self.folder.store.delete(folder)
            shutil.rmtree(doomed, ignore_errors=True)

        self._deletions.submit(delete)

    def close(self) -> None:
        """The session ends: wait until everything has been deleted."""
        self._deletions.shutdown()
        shutil.rmtree(self.folder.removed, ignore_errors=True)
