"""The best value of each numeric setting, with the interval in which it lies, and the value to
take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweeper.analysis.noise import noise_of
from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.record.ranking import PointResult, T
from sweeper.spec.domains.listed import Grid
from sweeper.spec.points import Point
from sweeper.strategy.surface.axes import Axes

if TYPE_CHECKING:
    from sweeper.strategy.surface.surface import Surface

LEVEL = 0.95
FEWEST = 4  # values of the setting, below which a curve says nothing of its own shape
NODES = 97  # between the lowest and the highest value that was tried
DRAWS = 64  # of each kernel


@dataclass(frozen=True, kw_only=True)
class OptimumInterval:
    """Where the best value of one setting lies, the others being as at the best point.

    `low` and `high` hold it with a chance of 95 %; where one is at the end of what was tried, the
    best may lie beyond. `taken` is the value of least expected loss under that uncertainty, and
    with a chance of 95 % it is not worse than the true best by more than `regret`.
    """

    name: str
    low: float
    high: float
    taken: float
    regret: float  # in the units of the objective
    at_low_end: bool
    at_high_end: bool


def optima_of(
    points: Sequence[PointResult[T]], parameters: Sequence[Parameter], sign: float
) -> tuple[OptimumInterval, ...]:
    """For each numeric setting that enough values of were tried to their ends, around the best
    point; the sizes beside the best one have their say in the surface.

    Args:
        points: Best first, as a ranking has them.
        sign: 1 where less is better, otherwise -1.

    Assumes that the loss is smooth over the setting in its own scale, and noise of one deviation at
    all points (that of the seeds where there are any, otherwise what neighbours leave over).
    """
    if not points:
        return ()
    best, names = points[0].point, points[0].point.keys()
    alike = [result for result in points if result.point.keys() == names]
    tried = {
        parameter: _tried(parameter, alike, best, parameters)
        for parameter in parameters
        if parameter.scale != "category" and parameter.name in best
    }
    enough = {parameter: values for parameter, values in tried.items() if len(values) >= FEWEST}
    if not enough:
        return ()  # a surface takes a moment
    surface = _surface(alike, sign)
    return tuple(
        _interval(surface, parameter, values, best) for parameter, values in enough.items()
    )


def _tried(
    parameter: Parameter,
    results: Sequence[PointResult[T]],
    best: Point,
    parameters: Sequence[Parameter],
) -> list[float]:
    """The values of the setting at the points that have the best one's names (its size)."""
    names = [p.name for p in parameters if p.scale == "category" and p.name in best]
    values = {
        float(value)
        for result in results
        if all(result.point[name] == best[name] for name in names)
        and isinstance(value := result.point[parameter.name], int | float)
    }
    return sorted(values)


def _surface(results: Sequence[PointResult[T]], sign: float) -> "Surface":
    from sweeper.strategy.surface.surface import Final, Surface  # scipy takes a moment

    space = {
        name: Grid(grid=list(dict.fromkeys(result.point[name] for result in results)))
        for name in results[0].point
    }
    noise = noise_of(results)
    variance = noise.deviation**2 if noise else 0.0
    finals = [
        Final(
            point=result.point,
            value=sign * result.mean,
            deviation=math.sqrt(variance / len(result.values)),
        )
        for result in results
    ]
    return Surface(Axes(space), finals)


def _interval(
    surface: "Surface", parameter: Parameter, tried: Sequence[float], best: Point
) -> OptimumInterval:
    on_log = parameter.scale == "log"
    nodes = (np.geomspace if on_log else np.linspace)(tried[0], tried[-1], NODES)
    values, weights = surface.draw([{**best, parameter.name: float(x)} for x in nodes], DRAWS)
    # How likely each node is to be the best one, and by how much each is worse than that.
    chance = np.bincount(values.argmin(axis=1), weights, NODES)
    regrets = values - values.min(axis=1, keepdims=True)
    taken = int(np.argmin(weights @ regrets))
    order = np.argsort(regrets[:, taken])
    within = np.cumsum(weights[order])
    cumulated = np.cumsum(chance)
    low = int(np.searchsorted(cumulated, (1 - LEVEL) / 2))
    high = min(NODES - 1, int(np.searchsorted(cumulated, (1 + LEVEL) / 2)))
    return OptimumInterval(
        name=parameter.name,
        low=float(nodes[low]),
        high=float(nodes[high]),
        taken=float(nodes[taken]),
        regret=float(regrets[order[np.searchsorted(within, LEVEL)], taken]),
        at_low_end=low == 0 and (parameter.least is None or tried[0] > parameter.least),
        at_high_end=high == NODES - 1,
    )
