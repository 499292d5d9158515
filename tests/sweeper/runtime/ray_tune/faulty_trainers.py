"""Training loops that go wrong in every way, once or always; which way, the learning rate says."""

import json
import os
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from tests.sweeper.closed_form import ClosedFormTrainer
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics

ZOO = "tests.sweeper.runtime.ray_tune.faulty_trainers:ZooTrainer"
SOUND, EXITS, RAISES, UNREADABLE, HANGS, SILENT, UNSAVED = (
    1e-3,
    2e-3,
    3e-3,
    4e-3,
    5e-3,
    6e-3,
    7e-3,
)
FULL = "tests.sweeper.runtime.ray_tune.faulty_trainers:FullTrainer"
FULL_WHILE = "SWEEPER_TEST_FULL_WHILE"  # names a file: the disk is full as long as it is there
BROKEN = "tests.sweeper.runtime.ray_tune.faulty_trainers:BrokenTrainer"
BROKEN_WHILE = "SWEEPER_TEST_BROKEN_WHILE"  # names a file: nothing works as long as it is there
POISON = "tests.sweeper.runtime.ray_tune.faulty_trainers:PoisonTrainer"
HEAVY = "tests.sweeper.runtime.ray_tune.faulty_trainers:HeavyTrainer"
HEAVY_BYTES = 256 * 1024
EATER = "tests.sweeper.runtime.ray_tune.faulty_trainers:EatingTrainer"
EATEN_AT_MOST = 6 * 2**30
STUCK = "tests.sweeper.runtime.ray_tune.faulty_trainers:StuckTrainer"
DOOMED = "tests.sweeper.runtime.ray_tune.faulty_trainers:DoomedTrainer"
DOOMED_NODES = "SWEEPER_TEST_DOOMED_NODES"  # names the file with the ids of nodes that are to die
NOTES = "SWEEPER_TEST_NOTES"  # names the file in which a trainer notes that it is where it hangs


class UnreadableError(Exception):
    """Can be pickled and not unpickled, as many are."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


class ZooTrainer(ClosedFormTrainer):
    """Goes wrong at step 7, with a checkpoint of step 4 behind it: once, but for RAISES."""

    def train(self) -> Iterator[Metrics | None]:
        first = self.step == 0
        for metrics in super().train():
            if self.step == 7:
                self._go_wrong(first)
            yield metrics

    def _go_wrong(self, first: bool) -> None:
        match self.config.learning_rate:
            case rate if rate == RAISES:
                raise RuntimeError("no such kernel\nCompile with CUDA_LAUNCH_BLOCKING=1")
            case rate if rate == EXITS and first:
                os._exit(3)
            case rate if rate == UNREADABLE and first:
                raise UnreadableError("one", "two")
            case rate if rate == HANGS and first:
                wait_for_a_message_that_never_comes()

    def _metrics(self, loss: float) -> Any:
        metrics = super()._metrics(loss)
        return Silent(metrics) if self.config.learning_rate == SILENT else metrics

    def save(self, path: Path) -> None:
        if self.config.learning_rate == UNSAVED and self.step == 8 and not _done_before(path):
            raise CheckpointError("not written: the weights are odd")
        super().save(path)


class Silent:
    """Metrics without the one that the sweep is about, and with what JSON cannot hold."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.diverged = False

    def to_dict(self) -> dict[str, Any]:
        values = {**self.metrics.to_dict(), "grad_norm": float("inf"), "its_own": object()}
        return {name: value for name, value in values.items() if not name.startswith("val_")}


def _done_before(path: Path) -> bool:
    """Whether this process, or another, has been here; beside the temporary checkpoints."""
    mark = Path(os.environ[NOTES])
    there = mark.exists()
    mark.touch()
    return there


def wait_for_a_message_that_never_comes() -> None:
    while True:
        time.sleep(60)


class BrokenTrainer(ClosedFormTrainer):
    """Does not work as long as a file is there, which says how: it cannot be made (no driver, a
    full GPU, a wrong library), or its process ends without a word."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.broken = _text_of(Path(os.environ[BROKEN_WHILE]))
        if self.broken == "raises":
            raise RuntimeError("no driver of version 12 or newer")
        super().__init__(*args, **named)

    def take_step(self) -> None:
        match self.broken:
            case "exits":
                os._exit(3)
            case "unreadable":
                raise UnreadableError("one", "two")


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None


class FullTrainer(ClosedFormTrainer):
    """Its checkpoints go to a full disk, by the kernel's own word, as long as a file is there."""

    def save(self, path: Path) -> None:
        if self.step == 8 and Path(os.environ[FULL_WHILE]).exists():
            try:
                Path("/dev/full").write_bytes(b"x")
            except OSError as error:
                raise CheckpointError("not written; free some space") from error
        super().save(path)


class HeavyTrainer(ClosedFormTrainer):
    """Its checkpoints take room."""

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"step": self.step, "weights": "x" * HEAVY_BYTES}))


class EatingTrainer(ClosedFormTrainer):
    """Takes more and more memory, until its process is ended; not where it goes on."""

    def train(self) -> Iterator[Metrics | None]:
        first = self.step == 0
        for metrics in super().train():
            if self.step == 7 and first and self.config.learning_rate == EXITS:
                eaten = []
                while len(eaten) < EATEN_AT_MOST // 2**26:
                    eaten.append(b"x" * 2**26)
                    time.sleep(0.1)  # for the monitor to look
                raise RuntimeError("nobody has ended it")
            yield metrics


class StuckTrainer(ClosedFormTrainer):
    """Hangs at its first step where SOUND; else fails at once, always."""

    def train(self) -> Iterator[Metrics | None]:
        for metrics in super().train():
            if self.config.learning_rate != SOUND:
                raise RuntimeError("broken")
            with Path(os.environ[NOTES]).open("a") as file:
                file.write("stuck\n")
            wait_for_a_message_that_never_comes()
            yield metrics


class DoomedTrainer(ClosedFormTrainer):
    """Says its process id and waits for its end at step 7, if it is on a doomed node; elsewhere it
    waits there until one is on each of them."""

    def train(self) -> Iterator[Metrics | None]:
        notes, here = Path(os.environ[NOTES]), ray.get_runtime_context().get_node_id()
        doomed = Path(os.environ[DOOMED_NODES]).read_text().split()
        for metrics in super().train():
            if self.step == 7 and here in doomed:
                (notes / here).write_text(f"{os.getpid()}\n")
                wait_for_a_message_that_never_comes()
            while self.step == 7 and not all((notes / node).exists() for node in doomed):
                time.sleep(0.05)  # between two looks at the condition
            yield metrics


class PoisonTrainer(ClosedFormTrainer):
    """Leaves its process so that no other trial can be made ready in it."""

    def save(self, path: Path) -> None:
        super().save(path)
        if self.step == self.config.max_steps:
            sys.modules["torch"] = types.ModuleType("torch")
