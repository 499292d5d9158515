"""A sweep as it stands in its run folder, whether a driver runs it or not."""

import time
from collections.abc import Sequence
from pathlib import Path

from sweeper.analysis.time_left import TimeLeft, TimeLeftEstimator
from sweeper.errors import RunFolderError
from sweeper.plan.plan import plan_again
from sweeper.record.follower import Follower
from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import RunFolder
from sweeper.record.runs.finding import list_with_unread
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.submission.next_attempt import Act, Standing, Step, next_step, standing_of
from sweeper.spec.reading.yaml_source import read_yaml
from sweeper.status import Status
from trainable.errors import UserError
from trainable.settings import nearest


class Monitor:
    """Reads a sweep from its folder; each `refresh` reads what is new.

    Raises:
        UserError: this version cannot read the files of the folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.follower = Follower(folder)
        self.is_running = False
        self._estimator: TimeLeftEstimator | None = None
        self.refresh()

    @property
    def state(self) -> SweepState:
        return self.follower.state

    def refresh(self) -> None:
        """Take in what is new."""
        self.is_running = self.follower.catch_up_or_interrupt()
        for trial in self.state.trials.values():
            trial.progress = None
        for trial in self.state.with_status(Status.RUNNING):
            if rows := self.follower.rows(trial, after=trial.step):
                trial.progress = rows[-1]

    @property
    def state_name(self) -> str:
        """running, finished, interrupted, failed, or submitted: it is to go on by itself."""
        if self.is_running:
            return "running"
        if self.next_step.act in (Act.WAIT, Act.SUBMIT):
            return "submitted"
        return self.state.outcome or "interrupted"

    @property
    def standing(self) -> Standing:
        """Of a sweep that was submitted."""
        return standing_of(self.folder, self.state, is_live=self.is_running)

    @property
    def next_step(self) -> Step:
        """What `keep` does about it."""
        return next_step(self.standing, time.time())

    @property
    def num_trials(self) -> int:
        """All trials of the sweep, with those that have not begun."""
        return self.state.num_trials

    @property
    def num_ended(self) -> int:
        return sum(trial.status.ended for trial in self.state.trials.values())

    @property
    def best(self) -> Trial | None:
        return best_trial(self.state)

    def time_left(self) -> TimeLeft | None:
        """None if the sweep does not run, or nothing is known yet."""
        if not self.is_running:
            return None
        if self._estimator is None:
            plan = plan_again(self.state.spec, read_yaml(self.folder.spec))
            self._estimator = TimeLeftEstimator(plan)
        return self._estimator.time_left(self.state)

    def trial(self, trial_id: str) -> Trial:
        """The trial of this id; zeros in front may be left out.

        Raises:
            RunFolderError: there is none; the message names the nearest.
        """
        for known in (trial_id, trial_id.zfill(4)):
            if known in self.state.trials:
                return self.state.trials[known]
        raise RunFolderError(
            f"{self.folder.path}: no trial {trial_id!r}{_hint(trial_id, list(self.state.trials))}"
        )


def _hint(trial_id: str, known: Sequence[str]) -> str:
    if not known:
        return "; it has none yet"
    if close := nearest(trial_id, list(known)):
        return close
    return f"; they go from {known[0]} to {known[-1]}"


def monitors(runs: Path) -> list[tuple[RunFolder, Monitor | UserError]]:
    """A monitor of each sweep, or the error that says why it cannot be read."""
    found: list[tuple[RunFolder, Monitor | UserError]] = []
    for folder, unread in list_with_unread(runs):
        try:
            found.append((folder, unread or Monitor(folder)))
        except UserError as error:
            found.append((folder, error))
    return found
