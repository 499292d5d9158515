"""A trial as every runtime runs it: the training loop in slices, and its checkpoints."""

import importlib
import math
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sweeper.record.progress import Progress, misses_evaluation
from sweeper.record.run_folder import CHECKPOINT_FILE
from sweeper.spec.trainer.config import AnyConfig, ProgramConfig
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics

TRAINER = "trainable.loop.training:Trainer"  # ours
TRAINER_OF_SEVERAL = "trainable.followers.leader:start_trainer"
# In the text of an error that comes before the first step of an attempt.
NOT_BEGUN = "The trial had not taken a step."


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A stretch of training: what was measured in it, and how far it has come."""

    metrics: list[Metrics]
    step: int
    finished: bool  # at the last step, or the loss has diverged
    saves: bool  # a checkpoint is due, and not there yet


class TrialLoop:
    """The loop of one trial, wherever its process is."""

    def __init__(
        self,
        trainer: Any,
        config: AnyConfig,
        *,
        num_threads: int | None,
        forks_at: Collection[int] = (),
        evaluated_by: str = "val_loss",
    ) -> None:
        """
        Args:
            trainer: The class of the loop, as `trainable.loop.training.Trainer`.
            forks_at: Steps at which a checkpoint is due, since other trials fork there.
            evaluated_by: The metric that makes metrics an evaluation.
        """
        self.trainer_class = trainer
        self.config = config
        self.num_threads = num_threads
        self.forks_at = frozenset(forks_at)
        self.evaluated_by = evaluated_by
        self.trainer: Any = None  # made with the first step: a model is large
        self.steps: Iterator[Any] = iter(())
        self._begun = False  # this attempt has taken a step
        self._saved_at: int | None = None  # the step of the newest checkpoint
        self._unsaved: list[Metrics] = []  # since the one before

    def train(self, seconds: float = math.inf) -> Slice:
        """Train up to the next evaluation or checkpoint, or for this long."""
        with self._noting_the_beginning():
            if self.trainer is None:
                self._start(resume_from=None)
            return self._train(seconds)

    def _train(self, seconds: float) -> Slice:
        if self.trainer.step == self._saved_at:
            self._unsaved = []
        deadline = time.monotonic() + seconds
        rows: list[Metrics] = []
        evaluated = False
        for said in self.steps:
            self._begun = True
            if said is not None:
                rows.append(_metrics(said))
            evaluated = bool(rows) and rows[-1].value(self.evaluated_by) is not None
            if evaluated or self._is_due or time.monotonic() > deadline:
                break
        self._unsaved += rows
        diverged = bool(rows) and rows[-1].diverged
        finished = diverged or self.trainer.step >= self.config.max_steps
        if isinstance(self.config, ProgramConfig) and rows and not (evaluated or diverged):
            finished = False  # it may tell of its last step before it has evaluated there
        saves = (finished or self._is_due) and self.trainer.step != self._saved_at
        return Slice(metrics=rows, step=self.trainer.step, finished=finished, saves=saves)

    @property
    def _is_due(self) -> bool:
        """Whether there is to be a checkpoint of this step."""
        step = self.trainer.step
        if step == 0:  # a program that is not ours may have told nothing yet
            return False
        return step % self.config.checkpoint_every_steps == 0 or step in self.forks_at

    def save(self, folder: Path) -> None:
        """Write a checkpoint, and beside it the metrics that the journal may not have by then."""
        if self.trainer is None:
            self._start(resume_from=None)
        folder.mkdir(parents=True, exist_ok=True)
        kept: int | None = self.trainer.save(folder / CHECKPOINT_FILE)
        self._saved_at = self.trainer.step
        step = self.trainer.step if kept is None else kept  # of a program that saves when it likes
        Progress(step=step, metrics=tuple(self._unsaved)).write(folder)

    def restore(self, checkpoints: Iterable[Path], *, evaluated: int) -> None:
        """Go on from the first of these folders (newest first) that is good; if none is, from the
        beginning.

        Args:
            evaluated: The step of the trial's last evaluation in the journal. A checkpoint from
                beyond the next evaluation is not used: that evaluation would be missing for ever.
        """
        with self._noting_the_beginning():
            for folder in checkpoints:
                try:
                    self._start(resume_from=folder / CHECKPOINT_FILE)
                except CheckpointError as error:
                    print(f"sweeper: {error}; trying an older checkpoint", file=sys.stderr)
                    continue
                if not misses_evaluation(self.config, evaluated, self.trainer.step):
                    return
                problem = "an evaluation before it is not in the journal"
                print(f"sweeper: {folder}: {problem}; trying an older checkpoint", file=sys.stderr)
            self._start(resume_from=None)

    @contextmanager
    def _noting_the_beginning(self) -> Iterator[None]:
        """Say it with an error if not a single step was taken."""
        try:
            yield
        except Exception as error:
            if not self._begun:
                error.add_note(NOT_BEGUN)
            raise

    def close(self) -> None:
        """End what a trainer has started."""
        if hasattr(self.trainer, "close"):
            self.trainer.close()

    def _start(self, resume_from: Path | None) -> None:
        self.close()
        self.trainer = self.trainer_class(
            self.config, resume_from=resume_from, num_threads=self.num_threads
        )
        self.steps = self.trainer.train()
        self._saved_at = None if resume_from is None else self.trainer.step
        self._unsaved = []


def load_trainer(reference: str, processes: int = 1) -> Any:
    """The class of a training loop, given as `module:name`; where several processes are to share
    ours, what starts it with the others."""
    if reference == TRAINER and processes > 1:
        return partial(load_trainer(TRAINER_OF_SEVERAL), processes=processes)
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _metrics(said: Any) -> Metrics:
    """The part of a training loop's metrics that a sweep knows. The loop need not be ours.

    Raises:
        TypeError: there is no step, or a word in the place of a number.
    """
    return said if type(said) is Metrics else Metrics.from_mapping(said.to_dict())
