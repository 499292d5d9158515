"""Two parameters at a time: the best that was found in each cell of their plane."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.ends import FEWEST, End, surface_of
from sweeper.analysis.summary.response import NUM_BINS, bin_of, on_scale
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.status import Status

if TYPE_CHECKING:
    from sweeper.strategy.surface.surface import Surface

MAX_PAIRS = 3
NODES = 25  # of a plane, along each of its axes


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The cells along one parameter: a cell for each of its `values`, or equal parts of its range,
    between `edges`."""

    parameter: Parameter
    values: tuple[Scalar, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        return len(self.values) if self.values else len(self.edges) - 1

    def cell(self, x: Scalar) -> int:
        return self.values.index(x) if self.values else bin_of(self.parameter, x)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The trials of one cell. `value` is its best point's at the end; None if none completed."""

    x: int
    y: int
    value: float | None
    trial_id: str  # the best trial in it
    trial_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    x: Axis
    y: Axis
    cells: tuple[Cell, ...]

    @property
    def is_drawn(self) -> bool:
        """Whether one of them is drawn from a range, so that no two trials share a cell."""
        named = [axis.parameter for axis in (self.x, self.y)]
        return any(p.scale != "category" and not p.options for p in named)


@dataclass(frozen=True, kw_only=True)
class Plane:
    """What the surface through all ends expects over two settings, the others as at the winner.

    `values` has a row for each of `ys`, each with a value for each of `xs`.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Which ends say something beside what was measured: times the sweep's sign, the best, and how
    far the better three quarters of what has completed reach beyond it."""

    sign: float
    best: float
    reach: float

    @classmethod
    def of(cls, sweep: SweepData) -> "Telling | None":
        """None while nothing has completed."""
        ended = [t.value for t in sweep.trials if t.status is Status.COMPLETED]
        values = sorted(sweep.sign * value for value in ended if value is not None)
        if not values:
            return None
        reach = values[int(0.75 * (len(values) - 1))] - values[0]
        return cls(sign=sweep.sign, best=values[0], reach=reach)

    def is_told(self, value: float, deviation: float) -> bool:
        """Whether a forecast is surer than what it would tell apart: what is measured, or itself
        from the best. One that is not says nothing, and far below the rest, it would make all
        others look alike."""
        return deviation <= max(self.reach, self.sign * value - self.best)


def planes_of(
    sweep: SweepData, pairs: Sequence[Pair], ends: Sequence[End]
) -> tuple[Plane | None, ...]:
    """For each pair, in their order. None where one of the two has names for values, where both are
    listed, so that their cells say all, or where too few points have come to their ends."""
    best, telling = sweep.ranking.best, Telling.of(sweep)
    told = [pair.is_drawn and _are_numbers(pair) for pair in pairs]
    if (
        best is None
        or telling is None
        or not any(told)
        or sum(end.measured for end in ends) < FEWEST
    ):
        return (None,) * len(pairs)
    sure = [end for end in ends if end.measured or telling.is_told(end.value, end.deviation)]
    surface = surface_of(sweep, sure)
    return tuple(
        _plane(sweep, surface, best.point, pair) if tells else None
        for pair, tells in zip(pairs, told, strict=True)
    )


def _are_numbers(pair: Pair) -> bool:
    return "category" not in (pair.x.parameter.scale, pair.y.parameter.scale)


def _plane(sweep: SweepData, surface: "Surface", around: Point, pair: Pair) -> Plane:
    a, b = pair.x.parameter, pair.y.parameter
    xs, ys = tuple(_nodes(sweep, a)), tuple(_nodes(sweep, b))
    points = [{**around, a.name: x, b.name: y} for y in ys for x in xs]
    values = (sweep.sign * surface.forecast(points)[0]).reshape(len(ys), len(xs))
    return Plane(xs=xs, ys=ys, values=tuple(tuple(float(v) for v in row) for row in values))


def _nodes(sweep: SweepData, parameter: Parameter) -> Iterator[float]:
    """From the lowest to the highest value that was tried, evenly on its scale."""
    tried = [
        float(value)
        for trial in sweep.trials
        if isinstance(value := trial.point.get(parameter.name), int | float)
    ]
    spaced = np.geomspace if parameter.scale == "log" else np.linspace
    return (float(node) for node in spaced(min(tried), max(tried), NODES))


def pairs_of(sweep: SweepData) -> tuple[Pair, ...]:
    """The first MAX_PAIRS, in the order of the file, but with the learning rate before all."""
    ordered = sorted(sweep.parameters, key=lambda p: p.name != "learning_rate")
    pairs = itertools.combinations(ordered, 2)
    return tuple(_pair(sweep, a, b) for a, b in itertools.islice(pairs, MAX_PAIRS))


def _pair(sweep: SweepData, a: Parameter, b: Parameter) -> Pair:
    x, y = _axis(sweep, a), _axis(sweep, b)
    cells: dict[tuple[int, int], list[TrialData]] = {}
    for trial in sweep.trials:
        if a.name in trial.point and b.name in trial.point:
            at = x.cell(trial.point[a.name]), y.cell(trial.point[b.name])
            cells.setdefault(at, []).append(trial)
    return Pair(x=x, y=y, cells=tuple(_cell(sweep, at, cells[at]) for at in sorted(cells)))


def _cell(sweep: SweepData, at: tuple[int, int], trials: Sequence[TrialData]) -> Cell:
    own = {trial.trial_id for trial in trials}
    best = next((p for p in sweep.ranking.points if p.best.trial_id in own), None)
    return Cell(
        x=at[0],
        y=at[1],
        value=None if best is None else sweep.ranking.value_of(best),
        trial_id=trials[0].trial_id,  # trials are in order of merit
        trial_ids=tuple(trial.trial_id for trial in trials),
    )


def _axis(sweep: SweepData, parameter: Parameter) -> Axis:
    tried = dict.fromkeys(
        t.point[parameter.name] for t in sweep.trials if parameter.name in t.point
    )
    if parameter.scale == "category":
        values = dict.fromkeys((*parameter.options, *tried))
        return Axis(parameter=parameter, values=tuple(values))
    numbers = sorted({v for v in (*parameter.options, *tried) if isinstance(v, int | float)})
    if parameter.options or len(numbers) <= NUM_BINS or parameter.low is None:
        return Axis(parameter=parameter, values=tuple(numbers))
    assert parameter.high is not None
    low, high = on_scale(parameter, parameter.low), on_scale(parameter, parameter.high)
    edges = tuple(low + (high - low) * i / NUM_BINS for i in range(NUM_BINS + 1))
    return Axis(parameter=parameter, edges=edges)
