"""A sweep of closed-form trials in a process of its own, to be killed."""

import os
import sys
from pathlib import Path

from rich.console import Console

from sweeper.running import Options, resume_sweep, run_sweep
from tests.sweeper.closed_form import ClosedFormTrainer
from trainable.config import TrainConfig

TRAINER = "tests.sweeper.ray_tune.driver:NotingTrainer"
STARTS = "SWEEPER_TEST_STARTS"  # names the file in which trials note where they begin


class NotingTrainer(ClosedFormTrainer):
    def __init__(
        self, config: TrainConfig, *, resume_from: Path | None = None, num_threads: int | None
    ) -> None:
        super().__init__(config, resume_from=resume_from, num_threads=num_threads)
        with Path(os.environ[STARTS]).open("a") as file:
            file.write(f"{config.learning_rate} {self.step}\n")


def main() -> None:
    what, argument, runs = sys.argv[1:]
    options = Options(runs=Path(runs), dashboard=False, trainer=TRAINER)
    console = Console(quiet=True)
    if what == "run":
        sys.exit(run_sweep(Path(argument), console, options))
    sys.exit(resume_sweep(argument, console, options))


if __name__ == "__main__":
    main()
