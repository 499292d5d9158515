"""A sweep followed from outside: read from its run folder, while another process runs it or later.

What shows a sweep elsewhere (W&B, TensorBoard) is such a follower: the training never waits for it,
and it can be made again from the folder at any time.
"""

import itertools
import time
from datetime import datetime
from typing import Protocol

from sweeper.errors import RunFolderError
from sweeper.record.effective_spec import effective_spec
from sweeper.record.journal import JournalReader
from sweeper.record.metrics_files import read_metrics
from sweeper.record.replay import replay_event
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import TrialCreated, TrialEnded, TrialStarted
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.status import Status
from trainable.loop.metrics import Metrics


class Follower:
    """The state of a sweep, as far as its files say."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        # Each trial's first attempt; of one that is taken from another sweep, when it was taken.
        self.started: dict[str, datetime] = {}
        self.ended: dict[str, datetime] = {}
        self._journal = JournalReader(folder.journal)
        self._read = list(self._journal.new_events())  # and not folded yet
        self._folded = 0  # lines
        spec, _ = effective_spec(folder, self._read)
        self.state = SweepState(spec)

    def catch_up(self) -> None:
        """Take in what the journal has gained.

        Raises:
            RunFolderError: it is damaged.
        """
        read, self._read = self._read, []
        for event in itertools.chain(read, self._journal.new_events()):
            self._folded += 1
            replay_event(self.state, event, self.folder, self._folded)
            match event:
                case TrialCreated() if event.taken is not None:  # it has run in another sweep
                    self.started[event.id] = self.ended[event.id] = event.time
                case TrialStarted():
                    self.started.setdefault(event.trial, event.time)
                case TrialEnded():
                    self.ended[event.trial] = event.time

    def catch_up_or_interrupt(self) -> bool:
        """Catch up, and return whether a driver runs the sweep. If none does, its running trials
        count as interrupted."""
        running = self.folder.is_locked  # asked first: what is then said last is in the journal
        self.catch_up()
        if not running:
            self.state.interrupt()
        return running

    def rows(self, trial: Trial, after: int) -> list[Metrics]:
        """What a trial has measured beyond step `after`, at evaluations and between them.

        The journal can be ahead of the metrics file: for an instant, or after a kill for good.
        While the trial runs, its rows end where the file does, and the rest comes with a later
        call.

        Raises:
            RunFolderError: the metrics file is damaged.
        """
        rows = {row.step: row for row in read_metrics(self.folder.trial_metrics(trial.trial_id))}
        if trial.status is not Status.RUNNING:
            rows |= {seen.step: seen for seen in trial.evaluations}
        return [rows[step] for step in sorted(rows) if step > after]


class Mirror(Protocol):
    """Shows a sweep elsewhere, from its run folder."""

    @property
    def sweep(self) -> Follower: ...

    def update(self) -> None:
        """Show what the follower has taken in."""


def mirror(mirror: Mirror, *, follow: bool, every_seconds: float = 2.0) -> None:
    """Bring a mirror up to date; with `follow`, again and again until no driver runs the sweep.

    Raises:
        UserError: the folder is damaged, or has nothing to show; what the mirror raises.
    """
    while True:
        running = mirror.sweep.catch_up_or_interrupt()
        if not mirror.sweep.state.sessions:
            raise RunFolderError(f"{mirror.sweep.folder.path}: no sweep has begun in it yet")
        mirror.update()
        if not (follow and running):
            return
        time.sleep(every_seconds)
