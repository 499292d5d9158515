"""The points of a grid, and random draws. Draw number i depends on the space, the seed and i
alone."""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point, swept
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import KnownSettings

if TYPE_CHECKING:
    import numpy as np


def grid_points(space: Mapping[str, AnyDomain], seed: int) -> list[Point]:
    """Every combination, in an order shuffled by `seed`.

    ASHA compares a trial with those that came before it: along a sorted grid each trial may beat
    all earlier ones, and nothing would ever be stopped.
    """
    columns = [d.values() for d in space.values() if isinstance(d, Grid | Choice)]
    assert len(columns) == len(space), "the spec admits only listed values in a grid search"
    rows = (dict(zip(space, row, strict=True)) for row in itertools.product(*columns))
    # Points that differ only in what is not swept there are one; True is not 1.
    points = list({repr(point): point for point in (swept(space, row) for row in rows)}.values())
    random.Random(seed).shuffle(points)
    return points


def random_points(
    space: Mapping[str, AnyDomain], seed: int, index: int, known: KnownSettings
) -> Iterator[Point]:
    """Draw number `index`, independent of all others, and then those that may take its place."""
    import numpy as np  # a sweep that is only looked at draws nothing

    rng = np.random.default_rng([seed, index])
    while True:
        yield swept(space, {key: _draw(key, domain, rng, known) for key, domain in space.items()})


def _draw(key: str, domain: AnyDomain, rng: "np.random.Generator", known: KnownSettings) -> Scalar:
    if isinstance(domain, Normal):
        assert known.is_legal(key, domain.mean), "or it might be drawn again for ever"
        while not known.is_legal(key, value := domain.sample(rng)):
            pass
        return value
    return domain.sample(rng)
