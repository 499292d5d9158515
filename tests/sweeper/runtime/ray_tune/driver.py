"""A sweep of closed-form trials in a process of its own, to be killed."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeper.commands.sweeping import conclude
from sweeper.record.stores.places import runs_folder
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.lasting_output import lasting_output
from sweeper.runtime.session.preparation import Options
from tests.sweeper.closed_form import ClosedFormTrainer, SeededTrainer
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

STARTS = "SWEEPER_TEST_STARTS"  # names the file in which trials note where they begin
GATE = "SWEEPER_TEST_GATE"  # names a file without which trials hang
HANG_AT = "SWEEPER_TEST_HANG_AT"  # names a file with the step at which they do; none: HANGS_AT
NODE_WAIT = "SWEEPER_TEST_NODE_WAIT"  # seconds in which a lost node, or the head, may come back
EXIT = "SWEEPER_TEST_EXIT"  # seconds after which a driver that is to end does, in any case
BACKOFF = "SWEEPER_TEST_BACKOFF"  # seconds that a trial waits after each of its failures
# Seconds that a driver which is to end gives its trials to save themselves, and itself all the time
# that a busy machine needs.
PATIENCE = "SWEEPER_TEST_PATIENCE"
SHOWN = "SWEEPER_TEST_SHOWN"  # is set where the driver is to print, and to write the report
PAUSING = "SWEEPER_TEST_PAUSING"  # names a file that is there once a trial is being paused
HANGS_AT = 6  # between two checkpoints
ROOT = Path(__file__).parents[4]


class NotingTrainer(SeededTrainer):
    def __init__(
        self, config: TrainConfig, *, resume_from: Path | None = None, num_threads: int | None
    ) -> None:
        super().__init__(config, resume_from=resume_from, num_threads=num_threads)
        with Path(os.environ[STARTS]).open("a") as file:
            file.write(f"{config.learning_rate} {config.seed} {self.step}\n")


class HangingTrainer(ClosedFormTrainer):
    """Hangs at a step, and cannot be paused there."""

    def train(self) -> Iterator[Metrics | None]:
        gate, elsewhere = Path(os.environ[GATE]), Path(os.environ.get(HANG_AT, "none"))
        hangs_at = int(elsewhere.read_text()) if elsewhere.exists() else HANGS_AT
        for metrics in super().train():
            while self.step == hangs_at and not gate.exists():
                gate.with_suffix(".waited-at").touch()
                time.sleep(0.05)
            yield metrics


class SlowTrainer(ClosedFormTrainer):
    """For whoever wants to see it grow."""

    def take_step(self) -> None:
        time.sleep(0.05)


class WaitingTrainer(ClosedFormTrainer):
    """Stays at a step, or where it goes on beyond it, and can be paused there."""

    def train(self) -> Iterator[Metrics | None]:
        gate = Path(os.environ[GATE])
        for metrics in super().train():
            yield metrics
            while self.step >= HANGS_AT and not gate.exists():
                time.sleep(0.05)
                yield None


def note_pauses(file: Path) -> None:
    """Tell from outside that the driver has asked a trial to save itself and leave."""
    from sweeper.runtime.ray_tune.adapters import SweepScheduler

    ask = SweepScheduler.choose_trial_to_run
    turns = 0

    def asking(scheduler: SweepScheduler, controller: Any) -> Any:
        nonlocal turns
        turns += bool(scheduler._pausing)
        if turns == 10:  # what was asked is on its way
            file.touch()
        return ask(scheduler, controller)

    SweepScheduler.choose_trial_to_run = asking


def main(what: str, argument: str, runs: str, trainer: str) -> None:
    if NODE_WAIT in os.environ:
        from sweeper.runtime import nodes
        from sweeper.runtime.ray_tune import runner

        nodes.HEAD_WAIT_SECONDS = float(os.environ[NODE_WAIT])
        runner.OWN_WAIT_SECONDS = float(os.environ[NODE_WAIT])
    if PATIENCE in os.environ:
        from sweeper.runtime import signals
        from sweeper.runtime.ray_tune import interrupt

        signals.EXIT_SECONDS = 600.0
        interrupt.INTERRUPT_GRACE_SECONDS = float(os.environ[PATIENCE])
    if EXIT in os.environ:
        from sweeper.runtime import signals

        signals.EXIT_SECONDS = float(os.environ[EXIT])
    if BACKOFF in os.environ:
        from sweeper.record.state import trial

        trial.backoff_seconds = lambda failed_attempts: float(os.environ[BACKOFF])
    if PAUSING in os.environ:
        note_pauses(Path(os.environ[PAUSING]))
    if ":" not in trainer:
        trainer = f"tests.sweeper.runtime.ray_tune.driver:{trainer}"
    options = Options(runs=runs_folder(runs), dashboard=False, trainer=trainer)
    console = Console(quiet=SHOWN not in os.environ)
    with options.deadline, lasting_output():
        if what == "run":
            result = run_file(Path(argument), console, options)
        else:
            result = resume_sweep(argument, console, options)
        code = conclude(console, result) if SHOWN in os.environ else result.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
