"""A training loop without training: the loss is a formula of (settings, step).

It has the interface of `trainable.loop.training.Trainer`: orchestration is tested with the real
engine and the real Ray, in milliseconds a trial, and what comes out can be computed by hand.
"""

import json
import math
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics

REFERENCE = "tests.sweeper.closed_form:ClosedFormTrainer"
BEST_LEARNING_RATE = 1e-3


def loss_at(config: TrainConfig, step: int) -> float:
    """Falls with the steps to a floor that is lowest at BEST_LEARNING_RATE; NaN from 0.5 on."""
    if config.learning_rate >= 0.5:
        return math.nan
    floor = 1 + math.log10(config.learning_rate / BEST_LEARNING_RATE) ** 2
    return floor + 3 / math.sqrt(step)


class ClosedFormTrainer:
    def __init__(
        self, config: TrainConfig, *, resume_from: Path | None = None, num_threads: int | None
    ) -> None:
        self.config = config
        self.step = 0
        if resume_from is not None:
            try:
                self.step = json.loads(resume_from.read_text())["step"]
            except (OSError, ValueError) as error:
                raise CheckpointError(f"{resume_from}: {error}") from None

    def take_step(self) -> None: ...

    def loss(self) -> float:
        return loss_at(self.config, self.step)

    def train(self) -> Iterator[Metrics | None]:
        while self.step < self.config.max_steps:
            self.step += 1
            self.take_step()
            evaluate = self.step % self.config.eval_every_steps == 0
            if evaluate or self.step == self.config.max_steps:
                metrics = self._metrics(self.loss())
                yield metrics
                if metrics.diverged:
                    return
            else:
                yield None

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"step": self.step}))

    def _metrics(self, loss: float) -> Metrics:
        tokens = self.step * self.config.batch_size * self.config.context_length
        diverged = math.isnan(loss)
        return Metrics(
            step=self.step,
            tokens=tokens,
            train_loss=loss,
            val_loss=None if diverged else loss,
            val_perplexity=None if diverged else math.exp(loss),
            val_bits_per_byte=None if diverged else loss / math.log(2),
            learning_rate=self.config.learning_rate,
            grad_norm=1.0,
            tokens_per_second=1000.0,
            train_seconds=self.step / 100,
            skipped_steps=0,
            diverged=diverged,
        )


class SeededTrainer(ClosedFormTrainer):
    """With what its seed adds, at every step the same."""

    def loss(self) -> float:
        return super().loss() + random.Random(str(self.config)).gauss(0, 0.01)


class PathTrainer(ClosedFormTrainer):
    """Its loss is all the way that it has come, with whatever settings it had on it."""

    def __init__(
        self, config: TrainConfig, *, resume_from: Path | None = None, num_threads: int | None
    ) -> None:
        super().__init__(config, resume_from=resume_from, num_threads=num_threads)
        self.way = 0.0 if resume_from is None else json.loads(resume_from.read_text())["way"]

    def take_step(self) -> None:
        self.way += 1 / loss_at(self.config, 1)

    def loss(self) -> float:
        return loss_at(self.config, 1) if self.config.learning_rate >= 0.5 else 9 - self.way

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"step": self.step, "way": self.way}))


class FailingTrainer(ClosedFormTrainer):
    """Fails for ever above learning rate 0.1; once, by dying, at exactly 0.01."""

    def train(self) -> Iterator[Metrics | None]:
        resumed = self.step > 0
        for metrics in super().train():
            if self.config.learning_rate > 0.1 and self.step == 3:
                raise RuntimeError("the learning rate is too high for this machine")
            if self.config.learning_rate == 0.01 and self.step == 7 and not resumed:
                os.kill(os.getpid(), signal.SIGKILL)
            yield metrics
