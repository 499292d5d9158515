"""All watchers of a sweep at work, as one."""

import traceback
from collections.abc import Callable

from sweeper.engine.sweep import Sweep
from sweeper.errors import StorageError, is_storage_error
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from trainable.loop.metrics import Metrics


class Audience(Watcher):
    """Several watchers as one. One that fails is left out from then on, and the journal says so:
    a full W&B quota or a closed terminal must not end a sweep."""

    def __init__(self, sweep: Sweep, watchers: list[Watcher]) -> None:
        self.sweep = sweep
        self.watchers = watchers

    def catch_up(self) -> None:
        """Tell the watchers first what a kill kept from those of the session before."""
        for trial_id, late in self.sweep.late.items():
            self.measured(self.sweep.trials[trial_id], late)

    def started(self, trial: Trial) -> None:
        self._tell(lambda watcher: watcher.started(trial))

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        self._tell(lambda watcher: watcher.measured(trial, rows))

    def ended(self, trial: Trial) -> None:
        self._tell(lambda watcher: watcher.ended(trial))

    def refresh(self, state: SweepState) -> None:
        self._tell(lambda watcher: watcher.refresh(state))

    def close(self, state: SweepState) -> None:
        self._tell(lambda watcher: watcher.close(state))

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        for watcher in list(self.watchers):
            try:
                what(watcher)
            except (Exception, SystemExit) as error:  # recorded; rich exits where nobody reads
                self.watchers.remove(watcher)
                if isinstance(error, StorageError):
                    raise
                if self.sweep.failure is not None:
                    continue  # all is at an end anyway
                if is_storage_error(error) and watcher.keeps_the_record:
                    self.sweep.storage.failed(f"{type(watcher).__name__}: {error}")
                self.sweep.watcher_failed(type(watcher).__name__, traceback.format_exc())
