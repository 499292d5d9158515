"""Values near those that did well: the explore step of population based training."""

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import AnyConfig
from sweeper.spec.trainer.settings import OWNED
from trainable.config import TrainConfig
from trainable.errors import ConfigError

MAX_DRAWS = 100  # to find values that go together


def explore(
    spec: SweepSpec, source: Point, config: AnyConfig, *, trial: int, rung: int
) -> tuple[Point, AnyConfig]:
    """Values near those of `source`, for the trial that takes over from it at a rung; and the
    config with them.

    They depend on the arguments and on the seed of the search alone. Values that no run can have,
    or that a constraint rules out, are drawn again; if none are found, the source's own stay.

    Args:
        config: The source's.
    """
    assert spec.scheduler.type == "pbt"
    probability = spec.scheduler.resample_probability
    import numpy as np  # only pbt draws here

    rng = np.random.default_rng([spec.search.seed, rung, trial])
    is_ours = isinstance(config, TrainConfig)
    files = {name: getattr(config, name) for name in OWNED} if is_ours else {}
    for _ in range(MAX_DRAWS):
        point = {
            key: domain.sample(rng) if rng.random() < probability else domain.near(source[key], rng)
            for key, domain in spec.space.items()
        }
        try:
            explored = spec.known.config({**files, **spec.settings(point)})
        except ConfigError:
            continue
        if spec.admits(point):
            return point, explored
    return source, config
