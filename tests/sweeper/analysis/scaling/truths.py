"""Sizes and sweeps of which the laws are known."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sweeper.analysis.reading.sweep_data import Evaluation, Parameter, SweepData, TrialData
from sweeper.analysis.scaling.learning_rate_law import OCTAVE
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.analysis.summary.optimum import OptimumInterval, Valley
from sweeper.spec.domains.scale import Scale
from sweeper.status import Status
from trainable.config import TrainConfig
from trainable.model.model_size import matrix_params

RATES = tuple(1e-3 * 2.0**k for k in range(-3, 5))
SHAPES: Mapping[str, dict[str, Any]] = {  # matrices and head: 33k, 165k, 626k, 1.4M
    "s": {"d_model": 32, "num_heads": 2, "d_ff": 88, "num_layers": 2, "batch_size": 8},
    "m": {"d_model": 64, "num_heads": 4, "d_ff": 172, "num_layers": 3, "batch_size": 16},
    "l": {"d_model": 128, "num_heads": 4, "d_ff": 344, "num_layers": 3, "batch_size": 32},
    "xl": {"d_model": 192, "num_heads": 6, "d_ff": 512, "num_layers": 3, "batch_size": 64},
}
STEPS = {"s": 400, "m": 900, "l": 1000, "xl": 2000}


def size(
    params: float,
    tokens: float,
    log_rate: float,
    *,
    loss: float = 3.0,
    deviation: float = 0.2 * OCTAVE,
    batch_tokens: int = 1024,
    rises: tuple[float, float] = (0.005, 0.02),
) -> SizeOptimum:
    """A size whose best learning rate is known with this deviation, and whose loss rises by these
    shares an octave squared below and above it."""
    logs = log_rate + np.linspace(-4, 4, 97) * OCTAVE
    chances = np.exp(-(((logs - log_rate) / deviation) ** 2) / 2)
    distance = (logs - log_rate) / OCTAVE
    expected = loss * (1 + np.where(distance < 0, *rises) * distance**2)
    return SizeOptimum(
        params=round(params),
        tokens=round(tokens),
        batch_tokens=batch_tokens,
        optimum=OptimumInterval(
            name="learning_rate",
            low=math.exp(log_rate - 1.96 * deviation),
            high=math.exp(log_rate + 1.96 * deviation),
            taken=math.exp(log_rate),
            value=loss,
            regret=0.01,
            at_low_end=False,
            at_high_end=False,
            valley=Valley(
                nodes=tuple(np.exp(logs).tolist()),
                chances=tuple((chances / chances.sum()).tolist()),
                expected=tuple(expected.tolist()),
            ),
        ),
    )


Law = Callable[[float, float], float]  # of parameters and tokens


def best_rate(params: float, tokens: float) -> float:
    """Step Law's exponents, at a level that puts the best of these sizes among `RATES`."""
    return float(2e-3 * (params / 2e5) ** -0.713 * (tokens / 1e6) ** 0.307)


def best_loss(params: float, tokens: float) -> float:
    return float(1.2 + 0.6 * (params / 2e5) ** -0.35 + 0.5 * (tokens / 1e6) ** -0.37)


def sweep_over_sizes(
    *,
    rate: Law = best_rate,
    loss: Law = best_loss,
    rates: Sequence[float] = RATES,
    shapes: Sequence[str] = tuple(SHAPES),
    steps: Mapping[str, int] = STEPS,
    noise: float = 0.002,
    **settings: Any,
) -> SweepData:
    """A grid of learning rates at each size, every trial at its end."""
    rng = np.random.default_rng(0)
    trials = []
    for shape in shapes:
        for learning_rate in rates:
            config = TrainConfig(
                **SHAPES[shape],
                context_length=64,
                vocab_size=256,
                max_steps=steps[shape],
                warmup_steps=steps[shape] // 20,
                learning_rate=learning_rate,
                **settings,
            )
            params, tokens = matrix_params(config), steps[shape] * config.batch_size * 64
            octaves = math.log2(learning_rate / rate(params, tokens))
            rise = (0.004 if octaves < 0 else 0.012) * octaves**2
            value = loss(params, tokens) * (1 + rise) + rng.normal(0, noise)
            trials.append(
                TrialData(
                    trial_id=f"{len(trials):04d}",
                    status=Status.COMPLETED,
                    point={"size": shape, "learning_rate": learning_rate},
                    config=config.to_dict(),
                    max_steps=steps[shape],
                    evaluations=(Evaluation(step=steps[shape], value=value, loss=value),),
                )
            )
    return SweepData(
        name="transfer",
        folder="runs/transfer",
        parameters=(
            Parameter(name="size", scale="category", options=tuple(shapes), changes_size=True),
            swept("learning_rate", "log", rates),
        ),
        trials=tuple(trials),
    )


def swept(name: str, scale: Scale, values: Sequence[float]) -> Parameter:
    return Parameter(
        name=name, scale=scale, options=tuple(values), low=min(values), high=max(values)
    )
