"""The best value of each numeric setting, with the interval in which it lies, and the value to
take: for each size by itself."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.ends import End, surface_of
from sweeper.analysis.summary.levels import Level
from sweeper.analysis.summary.response import grouping
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point

if TYPE_CHECKING:
    from sweeper.strategy.surface.axes import Array
    from sweeper.strategy.surface.surface import Surface

LEVEL = 0.95
FEWEST = 4  # values of the setting, below which a curve says nothing of its own shape
NODES = 97  # between the lowest and the highest value that was tried
DRAWS = 16  # of each kernel


@dataclass(frozen=True, kw_only=True)
class Valley:
    """What is known along one setting, at values from the lowest to the highest that was tried."""

    nodes: tuple[float, ...]
    chances: tuple[float, ...]  # of each to be the best
    expected: tuple[float, ...]  # of the objective at each


@dataclass(frozen=True, kw_only=True)
class OptimumInterval:
    """Where the best value of one setting lies, the others being as at the best point.

    `low` and `high` hold it with a chance of 95 %; where one is at the end of what was tried, the
    best may lie beyond. `taken` is the value of least expected loss under that uncertainty, and
    with a chance of 95 % it is not worse than the true best by more than `regret`.
    """

    name: str
    group: Scalar = None  # the size, or other named value, that it belongs to
    level: Level | None = None  # the rung at which trials were compared; None: at their ends
    low: float
    high: float
    taken: float
    value: float  # what is expected of the objective there
    regret: float  # in the units of the objective
    at_low_end: bool
    at_high_end: bool
    is_known: bool = True  # False: it may lie anywhere in what was tried
    valley: Valley | None = None


def optima_of(
    sweep: SweepData, levels: Sequence[Level], ends: Sequence[End], *, grouped: bool = True
) -> tuple[OptimumInterval, ...]:
    """For each numeric setting of which enough values were tried, around the best point of each
    size; the other sizes have their say in the surface.

    Trials are compared at their ends, which are forecast for those that were stopped. Where too few
    can be, or the best value of them has none beside it that was tried, they are compared at the
    deepest rung of which neither is true.

    Assumes that the loss is smooth over the setting in its own scale, and noise of one deviation at
    all points (that of the seeds where there are any, otherwise what neighbours leave over). None
    in a population: there a trial's values have changed on its way.
    """
    if sweep.scheduler == "pbt":
        return ()
    depths = [_Depth(sweep, None, ends)]
    depths += [
        _Depth(sweep, level, tuple(_at_level(sweep, level)))
        for level in reversed(levels)
        if not level.is_end
    ]
    found = []
    for parameter in sweep.parameters:
        if parameter.scale == "category" or parameter.is_budget:
            continue
        by = grouping(sweep, parameter) if grouped else None
        for group in [None] if by is None else by.options:
            cuts = [cut for depth in depths if (cut := depth.cut(parameter, by, group))]
            if cuts:
                found.append(next((cut for cut in cuts if cut.is_whole), cuts[0]).interval(group))
    return tuple(found)


def _at_level(sweep: SweepData, level: Level) -> Iterator[End]:
    """What was measured there of each point."""
    groups: dict[str, list[TrialData]] = {}
    for trial in sweep.trials:
        if trial.trial_id in level.values:
            groups.setdefault(sweep.repeats(trial), []).append(trial)
    for same in groups.values():
        value = fmean(level.values[trial.trial_id] for trial in same)
        yield End(point=same[0].point, value=value, deviation=0.0)


class _Depth:
    """A place at which points are compared, and the surfaces there."""

    def __init__(self, sweep: SweepData, level: Level | None, ends: Sequence[End]) -> None:
        self.sweep, self.level = sweep, level
        finalists = [result.point for result in sweep.ranking.finalists]

        def merit(end: End) -> tuple[bool, bool, float]:
            """What has run to its end goes before what is forecast of others."""
            return not end.measured, end.point not in finalists, sweep.sign * end.value

        self.ends = sorted(ends, key=merit)
        self._surfaces: dict[frozenset[str], Surface] = {}

    def cut(self, parameter: Parameter, by: Parameter | None, group: Scalar) -> "_Cut | None":
        """Along one parameter through the best point of a group; None where too few values of it
        came so far."""
        of_group = [
            end.point
            for end in self.ends
            if parameter.name in end.point and (by is None or end.point.get(by.name) == group)
        ]
        if not of_group:
            return None
        best = of_group[0]
        values = _values(parameter, _alike(self.sweep, by, best, of_group))
        if len(values) < FEWEST:
            return None
        tried = [trial.point for trial in self.sweep.trials if trial.evaluations]
        everywhere = _values(parameter, _alike(self.sweep, by, best, tried))
        return _Cut(self, parameter, best, values, (min(everywhere), max(everywhere)))

    def surface(self, best: Point) -> "Surface":
        """Through all points that have the same names as the best."""
        if (names := frozenset(best)) not in self._surfaces:
            alike = [end for end in self.ends if end.point.keys() == names]
            self._surfaces[names] = surface_of(self.sweep, alike, thorough=True)
        return self._surfaces[names]


def _alike(
    sweep: SweepData, by: Parameter | None, best: Point, points: Sequence[Point]
) -> list[Point]:
    """Those that have the size of the best, and whatever else has no scale."""
    fixed = {parameter.name for parameter in sweep.parameters if parameter.scale == "category"}
    fixed |= set() if by is None else {by.name}
    return [p for p in points if all(p.get(name) == best.get(name) for name in fixed)]


def _values(parameter: Parameter, points: Sequence[Point]) -> list[float]:
    values = (point.get(parameter.name) for point in points)
    return sorted({float(value) for value in values if isinstance(value, int | float)})


@dataclass(frozen=True)
class _Cut:
    """The values of one parameter that can be compared, from the least up."""

    depth: _Depth
    parameter: Parameter
    best: Point
    values: list[float]
    ends: tuple[float, float]  # of all values that were tried, however far their trials came

    @property
    def is_whole(self) -> bool:
        """Whether the best value has others on both sides, or none beyond it was tried."""
        best = self.best[self.parameter.name]
        return best in self.ends or self.values[0] != best != self.values[-1]

    def interval(self, group: Scalar) -> OptimumInterval:
        name, (first, last) = self.parameter.name, (self.values[0], self.values[-1])
        spaced = np.geomspace if self.parameter.scale == "log" else np.linspace
        nodes = spaced(first, last, NODES)
        points = [{**self.best, name: float(x)} for x in nodes]
        values, weights = self.depth.surface(self.best).draw(points, DRAWS)
        # How likely each node is to be the best one, and by how much each is worse than that.
        chance = np.bincount(values.argmin(axis=1), weights, NODES)
        regrets = values - values.min(axis=1, keepdims=True)
        taken = int(np.argmin(weights @ regrets))
        order = np.argsort(regrets[:, taken])
        within = np.cumsum(weights[order])
        cumulated = np.cumsum(chance)
        low = int(np.searchsorted(cumulated, (1 - LEVEL) / 2))
        high = min(NODES - 1, int(np.searchsorted(cumulated, (1 + LEVEL) / 2)))
        least = self.parameter.least
        expected = self.depth.sweep.sign * (weights @ values)
        is_known = (low, high) != (0, NODES - 1)
        if is_known and not self._agrees(nodes[low], nodes[high], nodes, weights @ values):
            is_known, low, high = False, 0, NODES - 1
        return OptimumInterval(
            name=name,
            group=group,
            level=self.depth.level,
            low=float(nodes[low]),
            high=float(nodes[high]),
            taken=float(nodes[taken]),
            value=float(expected[taken]),
            regret=float(regrets[order[np.searchsorted(within, LEVEL)], taken]),
            at_low_end=low == 0 and (least is None or first > least),
            at_high_end=high == NODES - 1,
            is_known=is_known,
            valley=Valley(
                nodes=tuple(nodes.tolist()),
                chances=tuple(chance.tolist()),
                expected=tuple(expected.tolist()),
            ),
        )

    def _agrees(self, low: float, high: float, nodes: "Array", expected: "Array") -> bool:
        """Whether the best value that was tried is in the interval or next to it, or is expected to
        be worse than the best by no more than luck: by noise alone the best of n points is ahead of
        its mean by at most sqrt(2 ln n) deviations on average. Otherwise the surface contradicts
        what was measured, and is worth nothing; but not where all that was measured on either
        side of the interval differs from the best in other settings too, as in random sweeps: there
        the better value was just not drawn."""
        (best,) = _values(self.parameter, [self.best])
        at = self.values.index(best)
        before, after = self.values[max(0, at - 1)], self.values[at : at + 2][-1]
        surface = self.depth.surface(self.best)
        own = next(end.deviation for end in self.depth.ends if end.point == self.best)
        noise = math.hypot(surface.noise, own)  # of its seeds, where it has several
        luck = noise * math.sqrt(2 * math.log(len(surface.finals)))
        worse = np.interp(best, nodes, expected) - expected.min()
        measured = [end.point for end in self.depth.ends if end.measured]
        name = self.parameter.name
        alone = [point for point in measured if {**point, name: best} == self.best]

        def around(points: list[Point]) -> bool:
            values = _values(self.parameter, points)
            return bool(values) and values[0] <= low and high <= values[-1]

        not_drawn = around(measured) and not around(alone)
        return (before <= high and low <= after) or bool(worse <= luck) or not_drawn
