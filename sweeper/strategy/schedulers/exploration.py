"""Values near those that did well: the explore step of population based training."""

import numpy as np

from sweeper.spec.space import AnyDomain, Choice, Grid, LogRandInt, Normal, RandInt, Scalar
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.search.draws import Point
from trainable.config import TrainConfig
from trainable.errors import ConfigError

# A run under way can take other values of these: they are read anew at each step, or are a
# function of it. The rest shapes the model, or what it has seen so far.
CHANGEABLE = (
    "learning_rate",
    "min_learning_rate",
    "warmup_steps",
    "grad_clip",
    "beta1",
    "beta2",
    "adam_epsilon",
    "weight_decay",
)
FACTORS = (0.8, 1.2)  # of the paper
MAX_DRAWS = 100  # for values that go together


def explore(
    spec: SweepSpec, source: Point, config: TrainConfig, *, trial: int, rung: int
) -> tuple[Point, TrainConfig]:
    """Values near those of `source` for a trial that takes over from it at a rung, and its config.
    They are a function of the arguments and of the seed of the search. Values that no run can have,
    or that a constraint rules out, are drawn again; where none is found the source's stay.

    Args:
        config: that of the source.
    """
    assert spec.scheduler.type == "pbt"
    probability = spec.scheduler.resample_probability
    rng = np.random.default_rng([spec.search.seed, rung, trial])
    files = {"train_data": config.train_data, "val_data": config.val_data}
    for _ in range(MAX_DRAWS):
        point = {
            key: _near(domain, source[key], rng, probability) for key, domain in spec.space.items()
        }
        try:
            explored = TrainConfig.from_mapping({**files, **spec.settings(point)})
        except ConfigError:
            continue
        if spec.admits(point):
            return point, explored
    return source, config


def _near(domain: AnyDomain, value: Scalar, rng: np.random.Generator, probability: float) -> Scalar:
    """A new draw with this probability; else the value before or after it in the list, or 0.8 or
    1.2 times it, within the bounds and on the steps of the domain."""
    if rng.random() < probability:
        return domain.sample(rng)
    up = bool(rng.integers(2))
    if isinstance(domain, Grid | Choice):
        values = domain.values()
        index = values.index(value) + (1 if up else -1)
        return values[min(max(index, 0), len(values) - 1)]
    assert isinstance(value, int | float), "a range has numbers"
    moved = value * FACTORS[up]
    if isinstance(domain, Normal):
        return moved
    low, high = domain.bounds()
    moved = min(max(moved, low), high)
    whole = isinstance(domain, RandInt | LogRandInt)
    step = domain.step or (1 if whole else None)
    if step is None:
        return moved
    number = domain.at(min(round((moved - low) / step), domain.num_steps(step)), step)
    return int(number) if whole else float(number)
