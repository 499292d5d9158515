"""Sweeps with a trap planted in them, and good ones without: drawn anew for each number."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.status import Status
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial

Losses = Callable[[float], float]
NOISE = 0.004


def curve(rng: np.random.Generator, best: float) -> Losses:
    """A loss over octaves, steeper to the right as learning rates are."""
    bend, steeper = rng.uniform(0.05, 0.12), rng.uniform(1, 2)
    return lambda x: 3 + bend * (x - best) ** 2 * (steeper if x > best else 1)


def rates(rng: np.random.Generator, number: int | None = None) -> list[float]:
    """Doublings, so that the middle one is near the best."""
    number = number or int(rng.choice([5, 7, 9]))
    start = 10 ** rng.uniform(-4, -2.5)
    return [float(f"{start * 2**k:.3g}") for k in range(number)]


def setting(name: str, values: Sequence[float], **more: Any) -> Parameter:
    scale = more.pop("scale", "log")
    ends = {} if scale == "category" else {"low": min(values), "high": max(values)}
    return Parameter(name=name, scale=scale, options=tuple(values), **ends, **more)


def runs(
    rng: np.random.Generator,
    points: Sequence[tuple[dict[str, Any], float]],
    seeds: int,
    noise: float = NOISE,
    **more: Any,
) -> list[TrialData]:
    """Each point with each seed, to its end."""
    return [
        trial(
            f"{number:03d}-{seed}", point, float(value + rng.normal(0, noise)),
            seed=seed if seeds > 1 else None, **more,
        )
        for number, (point, value) in enumerate(points)
        for seed in range(seeds)
    ]  # fmt: skip


def good(rng: np.random.Generator) -> SweepData:
    """A learning rate's doublings with the best well inside, with seeds or without."""
    lrs = rates(rng)
    loss = curve(rng, (len(lrs) - 1) / 2 + rng.uniform(-0.4, 0.4))
    points = [({"learning_rate": lr}, loss(k)) for k, lr in enumerate(lrs)]
    return sweep_of(runs(rng, points, int(rng.choice([1, 2, 3]))), [setting("learning_rate", lrs)])


def edge(rng: np.random.Generator) -> SweepData:
    lrs = rates(rng)
    beyond = rng.uniform(0.3, 3)
    loss = curve(rng, rng.choice([-beyond, len(lrs) - 1 + beyond]))
    points = [({"learning_rate": lr}, loss(k)) for k, lr in enumerate(lrs)]
    return sweep_of(runs(rng, points, int(rng.choice([1, 3]))), [setting("learning_rate", lrs)])


def few(rng: np.random.Generator) -> SweepData:
    """Three values, or five that are far apart."""
    number = int(rng.choice([3, 5]))
    apart = 2 if number == 3 else rng.uniform(2.5, 4)  # octaves
    lrs = [float(f"{1e-4 * 2 ** (apart * k):.3g}") for k in range(number)]
    loss = curve(rng, (number - 1) / 2 + rng.uniform(-0.3, 0.3))
    points = [({"learning_rate": lr}, loss(k)) for k, lr in enumerate(lrs)]
    return sweep_of(runs(rng, points, int(rng.choice([1, 3]))), [setting("learning_rate", lrs)])


def lost(rng: np.random.Generator, status: Status) -> SweepData:
    """The trials above a learning rate diverged, or failed."""
    sweep = good(rng)
    lrs = [option for option in sweep.parameters[0].options if isinstance(option, float)]
    limit = lrs[-int(rng.integers(1, 3))]
    trials = [
        t if t.point["learning_rate"] < limit else replace(t, status=status, evaluations=())
        for t in sweep.trials
    ]
    return replace(sweep, trials=tuple(trials))


def diverged(rng: np.random.Generator) -> SweepData:
    return lost(rng, Status.DIVERGED)


def failed(rng: np.random.Generator) -> SweepData:
    return lost(rng, Status.FAILED)


def flattered(rng: np.random.Generator) -> SweepData:
    """Of the best point the worse seeds were stopped."""
    lrs = rates(rng)
    loss = curve(rng, (len(lrs) - 1) / 2)
    points = [({"learning_rate": lr}, loss(k)) for k, lr in enumerate(lrs)]
    sweep = sweep_of(runs(rng, points, 3), [setting("learning_rate", lrs)])
    best = sweep.ranking.points[0].completed
    stopped = {trial.trial_id for trial in best[int(rng.integers(1, 3)) :]}
    trials = [
        replace(t, status=Status.STOPPED) if t.trial_id in stopped else t for t in sweep.trials
    ]
    return replace(sweep, trials=tuple(trials))


def sizes(rng: np.random.Generator) -> SweepData:
    """All for as many steps."""
    lrs, trials = rates(rng, 5), []
    counts = {name: int(2e4 * 4**k) for k, name in enumerate(("small", "medium", "large"))}
    for k, (name, size) in enumerate(counts.items()):
        loss = curve(rng, 2 + rng.uniform(-0.3, 0.3))
        points = [({"learning_rate": lr, "size": name}, loss(x) - k) for x, lr in enumerate(lrs)]
        of_size = runs(rng, points, 1, num_params=size)
        trials += [replace(t, trial_id=f"{name}{t.trial_id}") for t in of_size]
    size = setting("size", list(counts), scale="category", changes_size=True)  # type: ignore[arg-type]
    return sweep_of(trials, [setting("learning_rate", lrs), size])


def with_warmups(
    rng: np.random.Generator, warmups: Sequence[int], max_steps: int
) -> list[TrialData]:
    points = [({"warmup_steps": w}, 3 + 0.1 * abs(math.log(1 + w) - 3)) for w in warmups]
    return [
        replace(t, config={"warmup_steps": w, "max_steps": max_steps})
        for t, w in zip(runs(rng, points, 1), warmups, strict=True)
    ]


def schedule(rng: np.random.Generator) -> SweepData:
    """A warmup that is nearly none, one that leaves no cooldown, or one that was stopped in."""
    steps = int(rng.choice([200, 600]))
    warmups = [0, 20, 40, 60, 80]
    kind = rng.integers(3)
    if kind == 0:
        warmups[0] = int(rng.integers(1, 9))
    if kind == 1:
        warmups[-1] = int(steps * rng.uniform(0.92, 0.99))
    trials = with_warmups(rng, warmups, steps)
    if kind == 2:
        trials[-1] = replace(trials[-1], status=Status.STOPPED)  # at step 4
    return sweep_of(trials, [setting("warmup_steps", warmups, scale="linear", least=0)])


def no_effect(rng: np.random.Generator) -> SweepData:
    """Of the weight decay, beside a learning rate that has one."""
    lrs, decays = rates(rng, 5), [0.0, 0.05, 0.1, 0.2]
    loss = curve(rng, 2)
    points = [
        ({"learning_rate": lr, "weight_decay": decay}, loss(k))
        for k, lr in enumerate(lrs)
        for decay in decays
    ]
    decay = setting("weight_decay", decays, scale="linear", least=0)
    return sweep_of(runs(rng, points, 3), [setting("learning_rate", lrs), decay])


TRAPS: dict[str, Callable[[np.random.Generator], SweepData]] = {
    "edge": edge,
    "few": few,
    "diverged": diverged,
    "failed": failed,
    "flattered": flattered,
    "sizes": sizes,
    "schedule": schedule,
    "no effect": no_effect,
}
