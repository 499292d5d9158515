"""Which settings are tried, in which order. Suggestion i is a function of (spec, i) alone."""

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sweeper.space import AnyDomain, Choice, Grid, Scalar, Settings


@dataclass(frozen=True)
class Suggestion:
    """One point of the space: `values` by swept name, `settings` in the trainable's names."""

    values: dict[str, Scalar]
    settings: Settings


def suggestion(space: Mapping[str, AnyDomain], values: dict[str, Scalar]) -> Suggestion:
    settings: Settings = {}
    for key, value in values.items():
        settings |= space[key].settings(key, value)
    return Suggestion(values, settings)


def grid_suggestions(space: Mapping[str, AnyDomain], seed: int) -> list[Suggestion]:
    """Every combination, in an order shuffled by `seed`.

    Shuffled, because ASHA compares a trial with those that came before it: along a sorted grid
    each trial may beat all earlier ones and nothing would ever be stopped.
    """
    columns = [d.values() for d in space.values() if isinstance(d, Grid | Choice)]
    assert len(columns) == len(space), "the spec admits only listed values in a grid search"
    points = [dict(zip(space, row, strict=True)) for row in itertools.product(*columns)]
    random.Random(seed).shuffle(points)
    return [suggestion(space, values) for values in points]


def random_suggestions(
    space: Mapping[str, AnyDomain], seed: int, num_trials: int
) -> list[Suggestion]:
    """`num_trials` independent draws; the first n are the same for every larger `num_trials`."""
    suggestions = []
    for index in range(num_trials):
        rng = np.random.default_rng([seed, index])
        values = {key: domain.sample(rng) for key, domain in space.items()}
        suggestions.append(suggestion(space, values))
    return suggestions
