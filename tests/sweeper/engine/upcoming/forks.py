"""Sweeps whose trials share trunks, the steps that they take, and what each trial would have come
to by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.cost.shapes import Machine
from sweeper.plan.plan import Plan
from sweeper.record.metrics_files import MetricsFiles, read_metrics
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.runtime.in_process import InProcess
from tests.sweeper.closed_form import PathTrainer
from tests.sweeper.journals import raw_events
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics
from trainable.optimisation.schedule import learning_rate_at

ONE_SLOT = Machine(slots=1, free_memory=None)
WSD = {"schedule": "wsd", "warmup_steps": 2, "eval_every_steps": 7}
HORIZONS = {"max_steps": {"grid": [20, 40, 60, 80]}}  # which decay from 16, 32, 48 and 64 on
FIFO = {"type": "fifo"}


class Decaying(PathTrainer):
    """Its loss is all the way that it has come, by the learning rates that it had on it."""

    def take_step(self) -> None:
        self.way += learning_rate_at(self.config, self.step)

    def loss(self) -> float:
        return 9 - self.way


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model gains nothing from more, and waits for them where others compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def horizons(tiny_plan: Any) -> Callable[..., Plan]:
    def plan(**sections: Any) -> Plan:
        space = sections.pop("space", HORIZONS)
        train = {k: v for k, v in WSD.items() if k not in space} | sections.pop("train", {})
        return tiny_plan(**{"train": train, "space": space, "scheduler": FIFO, **sections})

    return plan


class Counted:
    """A training loop, and the steps that it takes in all."""

    def __init__(self, trainer: type[Any], breaks: Callable[[TrainConfig, int], bool]) -> None:
        self.steps = 0

        def train(loop: Any) -> Iterator[Metrics | None]:
            for metrics in trainer.train(loop):
                self.steps += 1
                if breaks(loop.config, loop.step):
                    raise RuntimeError("out of luck")
                yield metrics

        self.trainer = type("Trainer", (trainer,), {"train": train})


def run(
    folder: RunFolder,
    plan: Plan,
    trainer: type[Any] = Decaying,
    breaks: Callable[[TrainConfig, int], bool] = lambda config, step: False,
) -> tuple[Sweep, int]:
    """All that is left of a sweep, and the steps that were taken."""
    counted = Counted(trainer, breaks)
    sweep = Sweep.open(folder, plan)
    try:
        InProcess(sweep, Audience(sweep, [MetricsFiles(folder)]), counted.trainer).run()
        sweep.close("finished")
    finally:
        sweep.journal.close()
    return sweep, counted.steps


def new_folder(path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(path, plan.spec, None, "space.yaml")


def curves(folder: RunFolder, sweep: Sweep) -> dict[str, list[tuple[Any, ...]]]:
    """All that each trial has measured, by its values, as its file has it and as the journal."""
    found = {}
    for trial in sweep.trials.values():
        rows = read_metrics(folder.trial_metrics(trial.trial_id))
        evaluations = {seen.step: seen.val_loss for seen in trial.evaluations}
        assert evaluations == {row.step: row.val_loss for row in rows if row.val_loss is not None}
        found[str(trial.values)] = [
            (row.step, row.train_loss, row.val_loss, row.val_loss_ema, row.learning_rate)
            for row in rows
        ]
    return found


def curves_by_themselves(
    path: Path, plan: Plan, trainer: type[Any] = Decaying
) -> tuple[dict[str, list[tuple[Any, ...]]], int]:
    """The same, of trials of which each is a sweep of its own; and the steps that they took."""
    found, steps = {}, 0
    for trial in plan.trials:
        alone = Plan(plan.spec, (trial,), files=plan.files)
        folder = new_folder(path / trial.trial_id, alone)
        sweep, taken = run(folder, alone, trainer)
        found |= curves(folder, sweep)
        steps += taken
    return found, steps


def created(folder: RunFolder) -> list[dict[str, Any]]:
    return [event for event in raw_events(folder.journal) if event["event"] == "trial_created"]
