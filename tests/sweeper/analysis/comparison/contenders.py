"""Sweeps to compare, with values set by hand."""

from dataclasses import replace
from typing import Any

from sweeper.analysis.comparison.comparison import (
    Contender,
)
from sweeper.analysis.reading.sweep_data import TrialData
from sweeper.spec.sweep_spec import SweepSpec
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial

GRID = {"learning_rate": {"grid": [1e-3, 1e-2]}}


def at_rate(trial_id: str, rate: float, *values: float | None, **more: Any) -> TrialData:
    one = trial(trial_id, {"learning_rate": rate}, *values, **more)
    losses = tuple(replace(each, loss=each.value) for each in one.evaluations)
    return replace(one, evaluations=losses, loss=one.value)


def contender(name: str, spec: SweepSpec, trials: list[TrialData], **more: Any) -> Contender:
    return Contender(name=name, sweep=sweep_of(trials, **more), spec=spec)


def configured(of: Contender, behind: float = 0.0, **config: Any) -> list[TrialData]:
    """Its trials with other settings, and as much worse."""

    def worse(trial: TrialData) -> TrialData:
        evaluations = (replace(e, value=e.value and e.value + behind) for e in trial.evaluations)
        return replace(trial, config=config, evaluations=tuple(evaluations))

    return list(map(worse, of.sweep.trials))
