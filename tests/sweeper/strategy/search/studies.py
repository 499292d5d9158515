"""Sweeps that Optuna searches, and its studies of them."""

from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.engine.sweep import Sweep
from sweeper.engine.upcoming.observing import Observer
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.strategy.search.optuna_search import OptunaSearcher
from sweeper.strategy.surface.observation import Observation

RATE = {"learning_rate": {"loguniform": [1e-5, 1]}}  # diverges from 0.5 on


SPACE = {
    **RATE,
    "weight_decay": {"uniform": [0, 0.3], "step": 0.1},
    "size": {"choice": {"small": {"d_ff": 16}, "large": {"d_ff": 32}}},
}


DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-5, 1, log=True),
    "weight_decay": IntDistribution(0, 3),
    "size": CategoricalDistribution([0, 1]),
}


STOP = {"type": "asha", "grace_steps": 4}


PROMOTE = {**STOP, "mode": "promote"}


FIFO = {"type": "fifo"}


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    return create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def search(algorithm: str, num_trials: int, **more: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "num_trials": num_trials, "seed": 3, **more}


def observed(sweep: Sweep) -> list[Observation]:
    return Observer(sweep.plan.spec).observations(list(sweep.trials.values()))


def study_of(plan: Plan, sweep: Sweep) -> optuna.Study:
    return OptunaSearcher(plan.spec).study(observed(sweep))


def mirrored(plan: Plan, sweep: Sweep) -> list[Any]:
    """The trials that a study has that has never been asked."""
    return study_of(plan, sweep).trials
