"""Sweeps with finals: the losses of their points, with a known noise, and what became of them."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder

RATES = [1e-4, 1e-3, 3e-3, 1e-2, 1e-1]


FINALS = {"top": 3, "seeds": 3}


TOLD_APART = {1e-3: 1.0, 3e-3: 2.0, 1e-2: 3.0}


ALIKE = dict.fromkeys(RATES, 2.0)


SCHEDULERS = {
    "fifo": {"type": "fifo"},
    "asha": {"type": "asha", "grace_steps": 4},
    "promote": {"type": "asha", "mode": "promote", "grace_steps": 8},
    "hyperband": {"type": "hyperband", "grace_steps": 4, "reduction_factor": 2},
    "median": {"type": "median", "grace_steps": 4, "min_trials": 1},
}


Loss = Callable[[Any, int], float]


def noisy(levels: dict[float, float], deviation: float = 0.01) -> Loss:
    """A level for each learning rate, and what the seed adds to it."""

    def loss_at(config: Any, step: int) -> float:
        rng = random.Random(f"{config.learning_rate} {config.seed}")
        return levels.get(config.learning_rate, 9.0) + rng.gauss(0, deviation) + 1 / step

    return loss_at


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Loss], None]:
    return lambda loss: monkeypatch.setattr("tests.sweeper.closed_form.loss_at", loss)


@pytest.fixture
def plan_of(tiny_plan: Any) -> Callable[..., Plan]:
    def plan(scheduler: str = "fifo", **sections: Any) -> Plan:
        planned: Plan = tiny_plan(
            space={"learning_rate": {"grid": RATES}},
            scheduler=SCHEDULERS[scheduler],
            **{"finals": FINALS} | sections,
        )
        return planned

    return plan


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def of_finals(sweep: Sweep) -> list[tuple[float, int]]:
    """Learning rate and seed of each of their trials."""
    finals = [trial for trial in sweep.trials.values() if trial.is_final]
    assert all(trial.status.ended for trial in finals)
    return [(trial.config.learning_rate, trial.config.seed) for trial in finals]


def winner(sweep: Sweep) -> Any:
    assert sweep.state.finals is not None
    assert sweep.state.finals.ended is not None
    return sweep.state.finals.ended.winner
