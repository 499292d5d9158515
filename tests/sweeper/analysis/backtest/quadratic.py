"""Curves in closed form, for replays: the expected loss of noisy gradient descent on a quadratic,
under a linear warmup and a cosine to 0. A learning rate that is too high diverges, and one that is
high is behind until the schedule comes down."""

import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LEARNING_RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 1.28e-1)
WARMUPS = (4, 40, 160)
CURVATURES = (0.5, 2.0, 8.0, 32.0)
NOISE = 3.0
MAX_STEPS, EVERY = 400, 20


def losses(learning_rate: float, warmup_steps: int, seed: int) -> dict[int, float | None]:
    """At each evaluation; the last is None where it has diverged."""
    rng = random.Random(f"{learning_rate} {warmup_steps} {seed}")
    luck = rng.gauss(0, 0.01)
    squares = [1.0 / curvature for curvature in CURVATURES]
    found: dict[int, float | None] = {}
    for step in range(1, MAX_STEPS + 1):
        progress = (step - warmup_steps) / (MAX_STEPS - warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * max(0.0, progress)))
        pace = learning_rate * min(1.0, step / warmup_steps) * cosine
        squares = [
            (1 - pace * h) ** 2 * square + (pace * NOISE) ** 2
            for h, square in zip(CURVATURES, squares, strict=True)
        ]
        if step % EVERY == 0:
            loss = 1 + luck + sum(h * s for h, s in zip(CURVATURES, squares, strict=True)) / 4
            if loss > 20:
                return {**found, step: None}
            found[step] = loss
    return found


def rows(family: str = "quadratic", seeds: tuple[int, ...] = (0, 1, 2)) -> list[dict[str, Any]]:
    """As a table of curves has them."""
    found: list[dict[str, Any]] = []
    trial = 0
    for learning_rate in LEARNING_RATES:
        for warmup_steps in WARMUPS:
            for seed in seeds:
                curve = losses(learning_rate, warmup_steps, seed)
                diverged = None in curve.values()
                found += [
                    {
                        "family": family,
                        "corpus": "none",
                        "trial": trial,
                        "seed": seed,
                        "status": "diverged" if diverged else "completed",
                        "step": step,
                        "max_steps": MAX_STEPS,
                        "tokens": step * 512,
                        "val_loss": loss,
                        "learning_rate": learning_rate,
                        "warmup_steps": warmup_steps,
                        "weight_decay": 0.1,
                        "min_learning_rate": 0.0,
                        "size": "d64",
                        "num_parameters": 100_000,
                    }
                    for step, loss in curve.items()
                ]
                trial += 1
    return found


def write_table(path: Path, **how: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(rows(**how)), path)
    return path
