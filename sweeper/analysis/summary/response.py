"""How the objective depends on each swept name: curves, and whether their best lies at the edge of
the space."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.levels import Level
from sweeper.spec.domains.values import Scalar

MAX_GROUPS = 6  # an eye can tell so many curves apart
NUM_BINS = 8  # the equal parts of a range
NEAR_EDGE = 0.05  # the share of a range, at either end, that counts as its edge


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The best that was found at one value of a parameter, or in one part of its range."""

    x: Scalar
    value: float  # over the seeds
    trial_id: str
    deviation: float | None = None  # over the seeds


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A curve's best value lies at an end of the space, so a better one may lie beyond."""

    name: str
    side: Literal["low", "high"]
    bound: float
    group: Scalar = None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The objective over one parameter, at one level: for each value the best that was found,
    whatever the other parameters were."""

    group: Scalar = None  # a value of the name that the response is grouped by
    level: Level
    samples: tuple[Sample, ...]  # in the order of x


@dataclass(frozen=True, kw_only=True)
class Response:
    """All curves over one parameter. `binned`: each sample is the best of one part of the range."""

    parameter: Parameter
    grouped_by: str | None
    binned: bool
    curves: tuple[Curve, ...]
    edges: tuple[Edge, ...]


def responses_of(
    sweep: SweepData, levels: Sequence[Level], *, grouped: bool = True
) -> tuple[Response, ...]:
    """One for each swept name, in the order of the file; where `grouped`, with curves of its own
    for each size."""
    return tuple(
        _response(sweep, parameter, levels, grouping(sweep, parameter) if grouped else None)
        for parameter in sweep.parameters
    )


def grouping(sweep: SweepData, parameter: Parameter) -> Parameter | None:
    """The parameter that a response has a curve for each value of: the first on which the size of
    the model depends, or else the first of named values; of those that have few."""
    if parameter.scale == "category" or parameter.changes_size:
        return None
    few = [other for other in sweep.parameters if 1 < len(other.options) <= MAX_GROUPS]
    sizes = [other for other in few if other.changes_size]
    named = [other for other in few if other.scale == "category"]
    return next(iter([*sizes, *named]), None)


def _response(
    sweep: SweepData, parameter: Parameter, levels: Sequence[Level], by: Parameter | None
) -> Response:
    numeric = [p for p in sweep.parameters if p.scale != "category"]
    binned = not parameter.options and len(numeric) > 1
    groups: list[Scalar] = [None] if by is None else list(by.options)
    curves, edges = [], []
    for group in groups:
        trials = [
            trial
            for trial in sweep.trials
            if parameter.name in trial.point and (by is None or trial.point.get(by.name) == group)
        ]
        own = [_curve(sweep, parameter, trials, level, group, binned) for level in levels]
        own = [curve for curve in own if curve.samples]
        curves += own
        if own and (edge := _edge(sweep, parameter, trials, own[-1])) is not None:
            edges.append(edge)
    return Response(
        parameter=parameter,
        grouped_by=None if by is None else by.name,
        binned=binned,
        curves=tuple(curves),
        edges=tuple(edges),
    )


def _curve(
    sweep: SweepData,
    parameter: Parameter,
    trials: Sequence[TrialData],
    level: Level,
    group: Scalar,
    binned: bool,
) -> Curve:
    best: dict[Scalar, Sample] = {}
    for sample in _samples(sweep, parameter, trials, level):
        key = bin_of(parameter, sample.x) if binned else sample.x
        if key not in best or sweep.sign * sample.value < sweep.sign * best[key].value:
            best[key] = sample
    samples = sorted(best.values(), key=lambda sample: _order(parameter, sample.x))
    return Curve(group=group, level=level, samples=tuple(samples))


def _samples(
    sweep: SweepData,
    parameter: Parameter,
    trials: Sequence[TrialData],
    level: Level,
) -> list[Sample]:
    """A sample for each point: the mean over its seeds; at its end what it stands by, if that is
    comparable."""
    values, ranking = level.values, sweep.ranking
    results = filter(ranking.is_comparable, ranking.points) if level.is_end else ()
    ends = {t.trial_id: ranking.value_of(result) for result in results for t in result.completed}
    points: dict[str, list[TrialData]] = {}
    for trial in trials:
        if trial.trial_id in (ends if level.is_end else values):
            points.setdefault(sweep.repeats(trial), []).append(trial)
    return [
        Sample(
            x=same[0].point[parameter.name],
            value=ends[same[0].trial_id]
            if level.is_end
            else statistics.fmean(values[trial.trial_id] for trial in same),
            trial_id=same[0].trial_id,  # trials are in order of merit
            deviation=statistics.stdev(values[t.trial_id] for t in same) if len(same) > 1 else None,
        )
        for same in points.values()
    ]


def _order(parameter: Parameter, x: Scalar) -> float:
    if parameter.scale == "category":
        return parameter.options.index(x) if x in parameter.options else len(parameter.options)
    return float(x) if isinstance(x, int | float) else math.nan


def on_scale(parameter: Parameter, x: float) -> float:
    return math.log(x) if parameter.scale == "log" else x


def position(parameter: Parameter, x: float) -> float:
    """Where a value lies between the ends of the space, on the parameter's scale: from 0 to 1."""
    if parameter.low is None or parameter.high is None or parameter.low == parameter.high:
        return 0.5
    low, high = on_scale(parameter, parameter.low), on_scale(parameter, parameter.high)
    return (on_scale(parameter, x) - low) / (high - low)


def bin_of(parameter: Parameter, x: Scalar) -> int:
    """The number of the part of the range that a value lies in, from 0."""
    if not isinstance(x, int | float):
        return 0
    return max(0, min(NUM_BINS - 1, int(position(parameter, x) * NUM_BINS)))


def _edge(
    sweep: SweepData, parameter: Parameter, trials: Sequence[TrialData], curve: Curve
) -> Edge | None:
    """The end of the space that the best value lies at, if more than two values were tried and a
    run could go beyond that end."""
    if parameter.low is None or parameter.high is None or parameter.is_budget:
        return None
    if len({trial.point[parameter.name] for trial in trials if trial.evaluations}) < 3:
        return None
    best = min(curve.samples, key=lambda sample: sweep.sign * sample.value)
    if not isinstance(best.x, int | float):
        return None
    near = 0.0 if parameter.options else NEAR_EDGE
    where = position(parameter, best.x)
    if where <= near and not (parameter.least is not None and parameter.low <= parameter.least):
        return Edge(name=parameter.name, side="low", bound=parameter.low, group=curve.group)
    if where >= 1 - near:
        return Edge(name=parameter.name, side="high", bound=parameter.high, group=curve.group)
    return None
