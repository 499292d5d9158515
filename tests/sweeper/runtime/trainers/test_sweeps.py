"""Whole sweeps of a program that is not ours, which is killed at random: what is decided is what
would be without."""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.engine.audience import Audience
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.warm_starting import Here, read_warm_start
from sweeper.plan.plan import make_plan
from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.state import trial as trials
from sweeper.record.state.events import Evaluated
from sweeper.record.state.trial import Trial
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.starting import starter
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.in_process import opened
from tests.sweeper.runtime.trainers.jobs import PROGRAM

NUM_SWEEPS = int(os.environ.get("SWEEPER_TEST_SWEEPS", "2"))  # of each style; 50 have been run


# Of each trial, what was decided at its evaluations.
Decisions = dict[str, list[tuple[Any, ...]]]


class Foreign(InProcess):
    def run_trial(self, trial: Trial) -> None:
        spec, folder = self.sweep.plan.spec, self.sweep.folder.trial(trial.trial_id)
        assert spec.trainer is not None
        self.trainer = starter(spec.trainer, spec.objective.metric, folder)
        super().run_trial(trial)


def space_in(root: Path, style: str) -> Path:
    """A sweep with promotions, of the program in this style."""
    root.mkdir()
    checkpoint = {"path": "ckpt-{step:d}.json" if style == "pattern" else "ckpt.json"}
    if style == "hook":
        checkpoint |= {"written": "asked"}
    document: dict[str, Any] = {
        "name": "foreign",
        "trainer": {
            "folder": str(root),
            "command": f"{sys.executable} {PROGRAM} --lr={{learning_rate}} --out={{trial_dir}} "
            f"--style={style} --seconds=0.002",
            "resume": "--resume",
            "checkpoint": checkpoint,
            "settings": {"learning_rate": {"type": "float", "above": 0}},
            "max_steps": 40,
            "eval_every_steps": 10,
        },
        "space": {"learning_rate": {"grid": [0.01, 0.02, 0.05, 0.1]}},
        "scheduler": {
            "type": "asha", "grace_steps": 10, "mode": "promote", "reduction_factor": 2
        },
        "max_retries": 50,
        "max_concurrent": 1,  # with more, who comes first is chance
    }  # fmt: skip
    if style == "pattern":
        document["trainer"]["metrics"] = {"stdout": "step {step:d}: val loss {val_loss:f}"}
    with (root / "space.yaml").open("w") as file:
        YAML().dump(document, file)
    return root / "space.yaml"


def decisions(root: Path, style: str) -> Decisions:
    """Those of a sweep in this process."""
    return decided(swept(space_in(root, style)))


def swept(space: Path) -> RunFolder:
    spec, source = load_spec(space)
    plan = make_plan(spec, None, source)
    folder = create_run_folder(space.parent, plan.spec, None, "space.yaml")
    terms = SessionTerms(fingerprint=take_fingerprint(plan.spec, TRAINER))
    with opened(folder, plan, terms) as sweep:
        Foreign(sweep, Audience(sweep, []), None).run()
    return folder


def decided(folder: RunFolder) -> Decisions:
    found: Decisions = {}
    for event in read_journal(folder.journal):
        if isinstance(event, Evaluated):
            seen = (event.metrics.step, event.metrics.val_loss, event.decision)
            found.setdefault(event.trial, []).append(seen)
    return found


@pytest.mark.parametrize("style", ["pattern", "hook"])
def test_random_kills_change_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    undisturbed = decisions(tmp_path / "undisturbed", style)
    monkeypatch.setattr(trials, "backoff_seconds", lambda failed_attempts: 0.0)
    chance, killed = random.Random(0), 0
    listen = CommandTrainer._listen

    def killing(trainer: CommandTrainer) -> bool:
        nonlocal killed
        told = listen(trainer)
        if chance.random() < 0.05 and trainer.process is not None:
            killed += 1
            os.killpg(trainer.process.pid, signal.SIGKILL)
        return told

    monkeypatch.setattr(CommandTrainer, "_listen", killing)
    for number in range(NUM_SWEEPS):
        assert decisions(tmp_path / str(number), style) == undisturbed
    assert killed > 0


@pytest.mark.parametrize(
    ("changes", "different", "whole"), [([], (), 1), (["trainer.env={A: b}"], ("trainer",), 0)]
)
def test_results_are_taken_over_from_a_sweep_of_the_same_trainer_alone(
    tmp_path: Path, changes: list[str], different: tuple[str, ...], whole: int
) -> None:
    """Its code is the same; it is told something else. What it has found out is known all the
    same."""
    space = space_in(tmp_path / "earlier", "pattern")
    swept(space)
    spec, source = load_spec(space, ["name=later", "search.from=foreign", *changes])
    plan = make_plan(spec, None, source)
    here = Here(plan=plan, fingerprint=take_fingerprint(plan.spec, TRAINER))
    found = read_warm_start(plan.spec, space.parent, source, here)
    assert found.different == different
    assert len(found.trials) == whole
    assert len(found.observations) == 4
