"""Values near those that did well: the explore step of population based training."""

import numpy as np

from sweeper.spec.points import Point
from sweeper.spec.space import AnyDomain, Choice, Grid, LogRandInt, Normal, RandInt, Scalar
from sweeper.spec.sweep_spec import SweepSpec
from trainable.config import TrainConfig
from trainable.errors import ConfigError

FACTORS = (0.8, 1.2)  # as in the paper
MAX_DRAWS = 100  # to find values that go together


def explore(
    spec: SweepSpec, source: Point, config: TrainConfig, *, trial: int, rung: int
) -> tuple[Point, TrainConfig]:
    """Values near those of `source`, for the trial that takes over from it at a rung; and the
    config with them.

    They depend on the arguments and on the seed of the search alone. Values that no run can have,
    or that a constraint rules out, are drawn again; if none are found, the source's own stay.

    Args:
        config: The source's.
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
    """With this probability a new draw. Otherwise a listed value's neighbour in the list, or a
    number times 0.8 or 1.2, within the domain's bounds and on its steps."""
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
