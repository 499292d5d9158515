"""What others delete of a sweep's record while it is at work: it is put back as far as the journal
has it, and told, once, with what it costs."""

import os
import time
from collections.abc import Callable

from sweeper.engine.held_folder import PUT_BACK
from sweeper.engine.sweep import Sweep
from sweeper.record.metrics_files import write_metrics
from sweeper.record.run_folder import write_json, write_spec
from sweeper.record.state.checkpoints import Stored
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from sweeper.runtime.signals import tell
from sweeper.spec.scheduler_spec import PbtSpec
from sweeper.status import Status
from sweeper.views.next_steps import fresh_command
from trainable.loop.metrics import Metrics

LOOK_EVERY_SECONDS = 1.0
MOST_OF_THE_TIME = 0.02  # thousands of trials take a while to look at


class Losses(Watcher):
    """Looks whether all that was written is still there. It comes before the other watchers, so
    that these find what they had."""

    keeps_the_record = True

    def __init__(self, sweep: Sweep, say: Callable[[str], None] = tell) -> None:
        self.sweep = sweep
        self.folder = sweep.folder
        self.say = say
        self._measured: set[str] = set()  # trials that have a metrics file
        self._told_put_back = sweep.journal.times_put_back
        self._due = 0.0

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        if rows:
            self._look_at(trial, before=rows[0].step)
            self._measured.add(trial.trial_id)

    def ended(self, trial: Trial) -> None:
        self._look_at(trial)

    def refresh(self, state: SweepState) -> None:
        began = time.monotonic()
        if began < self._due:
            return
        self._look()
        now = time.monotonic()
        self._due = now + max(LOOK_EVERY_SECONDS, (now - began) / MOST_OF_THE_TIME)

    def close(self, state: SweepState) -> None:
        if self.sweep.failure is None:
            self._look()

    def _look(self) -> None:
        """
        Raises:
            StorageError: the whole folder is gone, or another is in its place.
        """
        self.sweep.storage.require_in_place()
        journal = self.sweep.journal
        if not journal.is_in_place:
            journal.put_back()
        if journal.times_put_back > self._told_put_back:
            self._told_put_back = journal.times_put_back
            self.say(f"{journal.path}: was deleted, replaced or changed; it is back as it was.")
        if not self.folder.spec.exists():
            write_spec(self.folder.spec, self.sweep.plan.spec, PUT_BACK)
            self.say(f"{self.folder.spec}: was deleted; it has been written again.")
        for trial in self.sweep.trials.values():
            self._look_at(trial)

    def _look_at(self, trial: Trial, before: int | None = None) -> None:
        """
        Args:
            before: What is measured from this step on is about to be written.
        """
        trial_id = trial.trial_id
        try:
            names = set(os.listdir(self.folder.trial(trial_id)))
        except FileNotFoundError:
            names = set()
        put_back = []
        config, metrics = self.folder.trial_config(trial_id), self.folder.trial_metrics(trial_id)
        if config.name not in names:
            write_json(config, trial.config.to_dict())
            put_back.append(config.name)
        rows = [row for row in trial.evaluations if before is None or row.step < before]
        lost = metrics.name not in names or not metrics.stat().st_size
        if lost and (rows or trial_id in self._measured):
            write_metrics(metrics, rows)
            put_back.append(f"{metrics.name} (of which only the evaluations could be)")
        self.sweep.checkpoints.note_gone(trial_id, names)
        gone = self.sweep.checkpoints.gone.pop(trial_id, [])
        if put_back or gone:
            self.say(self._told(trial, put_back, gone, whole=not names))

    def _told(self, trial: Trial, put_back: list[str], gone: list[Stored], *, whole: bool) -> str:
        """
        Args:
            whole: Nothing was left in its folder.
        """
        parts = [f"Trial {trial.trial_id}: {self.folder.trial(trial.trial_id)}/"]
        parts.append("was deleted." if whole else "has lost files.")
        if put_back:
            parts.append(f"Written again: {', '.join(put_back)}.")
        if gone:
            parts.append(f"Lost: {', '.join(stored.name for stored in gone)}. {self._cost(trial)}")
        return " ".join(parts)

    def _cost(self, trial: Trial) -> str:
        newest = self.sweep.state.checkpoints.newest(trial.trial_id)
        start = f"from {newest.name}" if newest else "from its beginning"
        match trial.status:
            case Status.COMPLETED:
                if not self.sweep.plan.spec.is_ours:
                    return "What it has trained is lost."
                steps, settings = trial.config.max_steps, trial.config.to_dict()
                again = fresh_command(self.folder, trial.trial_id, settings, steps)
                return f"Its trained weights are lost; to train it again, and longer:\n  {again}"
            case Status.RUNNING:
                return f"It trains on; cut off before its next checkpoint, it would begin {start}."
            case Status.FAILED:
                return f"Tried again, it begins {start}."
        is_source = isinstance(self.sweep.plan.spec.scheduler, PbtSpec) and newest is None
        return f"It will go on {start}" + (", and none takes over from it." if is_source else ".")
