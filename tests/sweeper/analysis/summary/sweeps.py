"""Sweeps as a summary gets them, written down by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.analysis.reading.sweep_data import Evaluation, Parameter, SweepData, TrialData
from sweeper.status import Status

LEARNING_RATE = Parameter(
    name="learning_rate", scale="log", options=(1e-4, 1e-3, 1e-2, 1e-1), low=1e-4, high=1e-1
)
SIZE = Parameter(name="size", scale="category", options=("small", "large"))


def trial(
    trial_id: str,
    point: Mapping[str, Any],
    *values: float | None,
    status: Status = Status.COMPLETED,
    every: int = 4,
    **more: Any,
) -> TrialData:
    """Evaluated to these values, one every `every` steps, one second a step."""
    evaluations = tuple(
        Evaluation(step=every * number, value=value, seconds=float(every * number))
        for number, value in enumerate(values, start=1)
    )
    return TrialData(
        trial_id=trial_id,
        status=status,
        point=dict(point),
        config={},
        evaluations=evaluations,
        **{"max_steps": 16, "tokens_per_step": 10, "flops_per_step": 100} | more,
    )


def sweep_of(
    trials: Sequence[TrialData], parameters: Sequence[Parameter] = (LEARNING_RATE,), **more: Any
) -> SweepData:
    return SweepData(
        name="lr",
        folder="runs/lr",
        parameters=tuple(parameters),
        trials=tuple(trials),
        **{"state": "finished", "seeds": _seeds(trials)} | more,
    )


def _seeds(trials: Sequence[TrialData]) -> tuple[int, ...]:
    return tuple({trial.seed: None for trial in trials if trial.seed is not None})


def by_rate(
    values: Mapping[float, float], status: Status = Status.COMPLETED, **point: Any
) -> list[TrialData]:
    """A trial for each learning rate with its last value."""
    return [
        trial(f"{status[0]}{index:03d}", {"learning_rate": rate, **point}, value, status=status)
        for index, (rate, value) in enumerate(values.items())
    ]


def seeded(values: Mapping[float, Sequence[float]]) -> list[TrialData]:
    """Several completed trials, one a seed, for each learning rate."""
    return [
        trial(f"{rate:g}-{seed}", {"learning_rate": rate}, value, seed=seed)
        for rate, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
