"""Functions of Python as trials, and the callbacks for those who let others loop."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.job import Job
from tests.sweeper.runtime.trainers.jobs import losses

ROOT = Path(__file__).parents[4]
RUN = ROOT / "sweeper" / "runtime" / "trainers" / "hook" / "sweeper_hook.py"


def function_job(folder: Path, name: str, checkpoint: str = "checkpoint") -> Job:
    settings = {"learning_rate": 0.01, "max_steps": 40}
    return Job(
        command=f"{sys.executable} {RUN} tests.sweeper.runtime.trainers.functions:{name}",
        variables={"SWEEPER_SETTINGS": json.dumps(settings)},
        settings=settings,
        checkpoint=checkpoint,
        written="asked",
        max_steps=40,
        eval_every_steps=10,
        trial_dir=folder / "work",
        folder=ROOT,
    )


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is missing: pip install {package}")


@pytest.mark.parametrize(
    "name, checkpoint",
    [
        ("generator", "checkpoint"),
        ("call", "checkpoint"),
        pytest.param("hugging_face", "checkpoint-{step:d}", marks=needs("accelerate")),
        pytest.param("lightning", "checkpoint", marks=needs("lightning")),
    ],
)
def test_a_function_is_paused_and_goes_on_to_the_same(
    tmp_path: Path, name: str, checkpoint: str
) -> None:
    straight = losses(CommandTrainer(function_job(tmp_path / "whole", name, checkpoint)))
    assert list(straight) == [10, 20, 30, 40]
    parts = function_job(tmp_path / "parts", name, checkpoint)
    trainer = CommandTrainer(parts)
    found = losses(trainer, until=20)
    kept = tmp_path / "parts" / "checkpoint_000001" / "checkpoint.pt"
    assert trainer.save(kept) == 20
    trainer.close()
    found |= losses(CommandTrainer(parts, resume_from=kept))
    assert found == straight
