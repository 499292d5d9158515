"""Tune's interfaces, called as Tune does, without a cluster."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeper.plan.placement import Placement, Share
from sweeper.record.journal import read_journal
from sweeper.record.run_folder import create_run_folder
from sweeper.record.state.events import CheckpointLanded, Evaluated
from sweeper.runtime.ray_tune.adapters import (
    Interrupt,
    SweepCallback,
    SweepScheduler,
    SweepSearch,
)
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.runtime.sharing.fairness import Claim
from sweeper.runtime.trial_loop import TrialLoop
from sweeper.spec.sweep_spec import Resources
from sweeper.status import Decision
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import opened
from trainable.loop.metrics import Metrics


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_evaluation_that_is_no_number_stops_its_trial_at_the_rung(
    tmp_path: Path, tiny_plan: Any, value: float
) -> None:
    """Though the run itself, whose weights are finite, has not diverged."""
    plan = tiny_plan(train={"log_every_steps": 1})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    audience: Any = SimpleNamespace(measured=lambda trial, rows: None)
    with opened(folder, plan) as sweep:
        scheduler = SweepScheduler(sweep, audience, Interrupt())
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        evaluated = next(m for m in ClosedFormTrainer(trial.config, num_threads=1).train() if m)
        assert evaluated.step == 4
        between = replace(evaluated, step=3, val_loss=None)
        broken = replace(evaluated, val_loss=value)

        def told(metrics: Metrics) -> str:
            result = {"metrics": [metrics], "finished": False}
            tune_trial: Any = SimpleNamespace(trial_id=trial.trial_id)
            return scheduler.on_trial_result(None, tune_trial, result)

        assert told(between) == "CONTINUE"
        assert trial.evaluations == []
        assert told(broken) == "STOP"
        assert trial.rung == 4


def test_a_checkpoint_is_heard_of_before_the_training_that_led_to_it(
    tmp_path: Path, tiny_plan: Any
) -> None:
    """Tune looks at what has come back in any order, and drops what is left of a paused trial."""
    plan = tiny_plan(scheduler={"type": "asha", "mode": "promote", "grace_steps": 4})
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    measured: list[Metrics] = []
    audience: Any = SimpleNamespace(measured=lambda trial, rows: measured.extend(rows))
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        sweep.start(trial.trial_id)
        loop = TrialLoop(ClosedFormTrainer, trial.config, num_threads=None)
        piece = loop.train()
        checkpoint = folder.checkpoint(trial.trial_id, "checkpoint_000000")
        loop.save(checkpoint)
        tune_trial: Any = SimpleNamespace(trial_id=trial.trial_id, last_result={"step": 0})
        faults: Any = SimpleNamespace(heard=lambda trial_id: None)
        callback = SweepCallback(sweep, audience, faults, audience, ())
        callback.on_checkpoint(0, [tune_trial], tune_trial, SimpleNamespace(path=str(checkpoint)))
        *_, evaluated, landed = read_journal(folder.journal)
        assert isinstance(evaluated, Evaluated)
        assert (evaluated.metrics, evaluated.decision) == (piece.metrics[0], Decision.PAUSE)
        assert isinstance(landed, CheckpointLanded)
        assert landed.step == 4
        assert measured == piece.metrics
        result = {"metrics": piece.metrics, "finished": piece.finished}
        scheduler = SweepScheduler(sweep, audience, Interrupt())
        assert scheduler.on_trial_result(None, tune_trial, result) == "STOP", "and so it pauses"
        assert list(read_journal(folder.journal))[-1] == landed


def test_a_signal_does_not_change_what_tune_is_told_in_the_middle_of_a_turn(
    tmp_path: Path, tiny_plan: Any
) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        interrupt = Interrupt()
        alone = Allowance(1, Claim(sweep="a", share=Share(1, 0), wants=0, holds=0), None)
        search = SweepSearch(sweep, Placement(Resources(), slots=1), "a:b", interrupt, alone)
        interrupt.request()
        assert not search.is_finished(), "Tune has just been told that it is not"
        assert search.next_trial() is None
        search.set_finished()  # as the controller does at the beginning of its next turn
        assert search.is_finished()
