"""A sweep of closed-form trials in a process of its own, to be killed."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from sweeper.running import Options, resume_sweep, run_file
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.closed_form import PathTrainer as PathTrainer  # to be named
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

STARTS = "SWEEPER_TEST_STARTS"  # names the file in which trials note where they begin
GATE = "SWEEPER_TEST_GATE"  # names a file without which trials hang


class NotingTrainer(ClosedFormTrainer):
    def __init__(
        self, config: TrainConfig, *, resume_from: Path | None = None, num_threads: int | None
    ) -> None:
        super().__init__(config, resume_from=resume_from, num_threads=num_threads)
        with Path(os.environ[STARTS]).open("a") as file:
            file.write(f"{config.learning_rate} {self.step}\n")


class HangingTrainer(ClosedFormTrainer):
    """Hangs at step 6, between its checkpoints, and cannot be paused there."""

    def train(self) -> Iterator[Metrics | None]:
        for metrics in super().train():
            while self.step == 6 and not Path(os.environ[GATE]).exists():
                time.sleep(0.05)
            yield metrics


def main() -> None:
    what, argument, runs, trainer = sys.argv[1:]
    if ":" not in trainer:
        trainer = f"tests.sweeper.runtime.ray_tune.driver:{trainer}"
    options = Options(runs=Path(runs), dashboard=False, trainer=trainer)
    console = Console(quiet=True)
    if what == "run":
        sys.exit(run_file(Path(argument), console, options).exit_code)
    sys.exit(resume_sweep(argument, console, options).exit_code)


if __name__ == "__main__":
    main()
