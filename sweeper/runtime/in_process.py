"""A whole sweep in this process, one trial after another, without a cluster: everything that a
runtime owes a `Sweep`. For tests, and for loops that cost next to nothing."""

import time
import traceback
from pathlib import Path
from typing import Any

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.record.state.trial import Trial
from sweeper.runtime.trial_loop import Slice, TrialLoop
from sweeper.status import Decision

WAIT_SECONDS = 0.05  # between two looks at whether a trial that failed may be tried again


class InProcess:
    """A runtime: it takes trials from the sweep, and tells it what becomes of them.

    The sweep is told of everything before anything follows from it. It hears of an evaluation
    before it hears of a checkpoint of the same step, and its decision is carried out: a trial that
    is to stop or to pause leaves. If a kill comes between the two, the evaluation is in the
    checkpoint (`sweeper.record.progress`).
    """

    def __init__(self, sweep: Sweep, audience: Audience, trainer: Any) -> None:
        """
        Args:
            trainer: The class of the training loop, as `trainable.loop.training.Trainer`.
        """
        self.sweep = sweep
        self.audience = audience
        self.trainer = trainer

    def run(self) -> None:
        """Run every trial that is left."""
        self.audience.catch_up()
        while not self.sweep.is_over:
            if (trial := self.sweep.next_trial()) is None:
                time.sleep(WAIT_SECONDS)
            else:
                self.run_trial(trial)
            self.sweep.commit()
            self.audience.refresh(self.sweep.state)

    def run_trial(self, trial: Trial) -> None:
        """One attempt: to the end of the trial, to a pause or to a failure."""
        forks_at = self.sweep.state.checkpoints.promised_steps(trial.trial_id)
        loop = TrialLoop(
            self.trainer, trial.config, num_threads=None, forks_at=forks_at,
            evaluated_by=self.sweep.plan.spec.evaluated_by,
        )  # fmt: skip
        try:
            checkpoints = self.sweep.folder.whole_checkpoints(trial.trial_id)
            loop.restore(checkpoints, evaluated=trial.step)
            self.sweep.start(trial.trial_id)
            self.audience.started(trial)
            while not self._leaves(trial, loop):
                pass
        except Exception as error:  # recorded, with its traceback
            if self.sweep.failure is not None:
                raise
            self._failed(trial, error)
        else:
            self.sweep.release(trial.trial_id)
        finally:
            loop.close()
        self.audience.ended(trial)

    def _leaves(self, trial: Trial, loop: TrialLoop) -> bool:
        """Train to the next evaluation. Returns whether that was the last of this attempt."""
        piece = loop.train()
        decision = self._told(trial, piece)
        if piece.saves:
            folder = self._next_checkpoint(trial)
            loop.save(folder)
            self.sweep.folder.store.put(folder)
            self.sweep.checkpointed(trial.trial_id, folder.name)
        self.sweep.commit()
        return piece.finished or decision is not Decision.CONTINUE or trial.stopped_by_hand

    def _told(self, trial: Trial, piece: Slice) -> Decision:
        decision = Decision.CONTINUE
        for metrics in piece.metrics:
            trial.progress = metrics
            if trial.is_evaluation(metrics, self.sweep.plan.spec.evaluated_by):
                decision = self.sweep.evaluated(trial.trial_id, metrics)
        self.audience.measured(trial, piece.metrics)
        return decision

    def _next_checkpoint(self, trial: Trial) -> Path:
        name = self.sweep.state.checkpoints.next_name(trial.trial_id)
        return self.sweep.folder.checkpoint(trial.trial_id, name)

    def _failed(self, trial: Trial, error: Exception) -> None:
        self.sweep.attempt_failed(trial.trial_id, "".join(traceback.format_exception(error)))
