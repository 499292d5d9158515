"""Jobs that run `program.py`, and what comes of them."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.job import Job

PROGRAM = Path(__file__).with_name("program.py")
CHECKPOINTS = {
    "pattern": "ckpt-{step:d}.json",
    "folder": "{step:d}/step_{step:d}",
    "async": "latest",
}


def job(folder: Path, style: str = "after", fault: str | None = None, **changes: Any) -> Job:
    """`changes`: of the job; `--options` of the program stand in its `more`."""
    command = (
        f"{sys.executable} {PROGRAM} --lr={{learning_rate}} --out={{trial_dir}} --style={style}"
    )
    if fault is not None:
        command += f" --fault='{fault}'"
    stdout = () if style == "hook" else ("step {step:d}: val loss {val_loss:f}",)
    if style == "folder":  # a word of a later step tells that the folder is whole
        stdout = (*stdout, "iter {step:d}: loss {train_loss:f}")
    made = Job(
        command=command + changes.pop("more", ""),
        resume="--resume --from_step={resume_step}",
        stdout=stdout,
        checkpoint=CHECKPOINTS.get(style, "ckpt.json"),
        marker="DONE" if style == "async" else None,
        written={"hook": "asked", "before": "before"}.get(style, "after"),  # type: ignore[arg-type]
        settings={"learning_rate": 0.1},
        max_steps=40,
        eval_every_steps=10,
        trial_dir=folder / "work",
        folder=folder,
        grace_s=60.0,
    )
    return replace(made, **changes)


def losses(trainer: CommandTrainer, until: int | None = None) -> dict[int, float | None]:
    """By step, to the end or up to a step."""
    found = {}
    for metrics in trainer.train():
        if metrics is not None and metrics.val_loss is not None:
            found[metrics.step] = metrics.val_loss
            if metrics.step == until:
                break
    return found


def message(trainer: CommandTrainer) -> str:
    with pytest.raises(TrainerError) as raised:
        losses(trainer)
    assert trainer.process is None, "nothing is left running"
    return str(raised.value)
