"""Two parameters at a time: the best that was found in each cell of their plane."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.response import NUM_BINS, bin_of, on_scale
from sweeper.record.ranking import rank
from sweeper.spec.domains.values import Scalar

MAX_PAIRS = 3


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
    best = rank(trials, sweep.mode, repeated=sweep.repeated).best
    return Cell(
        x=at[0],
        y=at[1],
        value=None if best is None else best.mean,
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
