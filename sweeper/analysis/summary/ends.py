"""Where a sweep's points end: measured, forecast for what was stopped on the way, or expected by
the surface of the others for what has not run."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING

from sweeper.analysis.noise import noise_of
from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.record.results.blocks import Blocks
from sweeper.spec.domains.listed import Grid
from sweeper.spec.domains.ranges import LogUniform, Uniform
from sweeper.spec.points import Point
from sweeper.spec.space import AnyDomain
from sweeper.status import Status
from sweeper.strategy.search.draws import grid_points

if TYPE_CHECKING:
    from sweeper.strategy.surface.surface import Surface

FEWEST = 4  # points at their ends, below which nothing is expected of others
MOST_ON_SURFACE = 256  # points; its cost is their cube
MOST_NOT_RUN = 500  # points, of which something is said


@dataclass(frozen=True, kw_only=True)
class End:
    """Where the trials of a point end, in the mean over its seeds, without what these do to all
    points alike.

    `deviation` says how unsure that is, the noise of the seeds included where it is known.
    """

    point: Point
    value: float
    deviation: float
    num_params: int | None = None
    measured: bool = False  # whether a trial of it has completed


def ends_of(sweep: SweepData) -> tuple[End, ...]:
    """Of each point of which a trial has completed or is forecast.

    A point that diverged ends as the worst of the others: that it did says where the best is not.
    """
    groups: dict[str, list[TrialData]] = {}
    for trial in sweep.trials:
        groups.setdefault(sweep.repeats(trial), []).append(trial)
    blocks, noise = sweep.ranking.blocks, noise_of(sweep.ranking.points)
    whole = noise.deviation**2 if noise else 0.0
    own = blocks.deviation**2 if blocks else whole
    unknown = max(0.0, whole - own)  # of a shift
    ends = [end for same in groups.values() for end in _end(same, own, unknown, blocks)]
    if not ends:
        return ()
    worst = max(sweep.sign * end.value for end in ends) * sweep.sign
    diverged = [
        End(point=same[0].point, value=worst, deviation=0.0, num_params=same[0].num_params)
        for same in groups.values()
        if any(trial.status is Status.DIVERGED for trial in same)
    ]
    lost = [end.point for end in diverged]
    return (*(end for end in ends if end.point not in lost), *diverged)


def _end(
    same: Sequence[TrialData], variance: float, unknown: float, blocks: Blocks | None
) -> Iterator[End]:
    values, variances = [], []
    for trial in same:
        shift = blocks.shift(trial.seed) if blocks else 0.0
        more = 0.0 if blocks is None or blocks.knows(trial.seed) else unknown
        if trial.status is Status.COMPLETED and trial.value is not None:
            values.append(trial.value - shift)
            variances.append(variance + more)
        elif trial.forecast is not None:
            values.append(trial.forecast.mean - shift)
            variances.append(trial.forecast.deviation**2 + more)
    if values:
        yield End(
            point=same[0].point,
            value=fmean(values),
            deviation=math.sqrt(sum(variances)) / len(values),
            num_params=same[0].num_params,
            measured=any(trial.status is Status.COMPLETED for trial in same),
        )


def surface_of(sweep: SweepData, ends: Sequence[End], *, thorough: bool = False) -> "Surface":
    """The surface through the ends, of which there is at least one; thorough where it has to tell
    in what interval something lies."""
    from sweeper.strategy.surface.axes import Axes  # scipy takes a moment
    from sweeper.strategy.surface.surface import Final, Surface

    space = {
        parameter.name: _domain(parameter, [end.point for end in ends])
        for parameter in sweep.parameters
    }
    finals = [
        Final(point=end.point, value=sweep.sign * end.value, deviation=end.deviation)
        for end in _telling(sweep, ends)
    ]
    measured = any(end.measured and end.deviation for end in ends)
    return Surface(Axes(space), finals, measured=measured, thorough=thorough)


def _telling(sweep: SweepData, ends: Sequence[End]) -> list[End]:
    """All of them, but for forecasts that are less sure than what was measured differs. Of very
    many the best, and as many of the others, from the better to the worse, which tell where the
    best is not."""
    measured = [end.value for end in ends if end.measured]
    if len(measured) >= FEWEST:
        apart = max(measured) - min(measured)
        ends = [end for end in ends if end.measured or end.deviation <= apart]
    ordered = sorted(ends, key=lambda end: sweep.sign * end.value)
    best, others = ordered[: MOST_ON_SURFACE // 2], ordered[MOST_ON_SURFACE // 2 :]
    return best + others[:: -(-len(others) // (MOST_ON_SURFACE // 2)) or 1]


def _domain(parameter: Parameter, points: Sequence[Point]) -> AnyDomain:
    """What the values of a parameter were drawn from, as far as its scale depends on it."""
    if parameter.options:
        return Grid(grid=list(parameter.options))
    tried = [value for p in points if isinstance(value := p.get(parameter.name), int | float)]
    # Where none of the points has it, it is the same at all.
    low = min(tried, default=0.0) if parameter.low is None else parameter.low
    high = max(tried, default=0.0) if parameter.high is None else parameter.high
    if low == high:
        return Grid(grid=[low])
    if parameter.scale == "log":
        return LogUniform(loguniform=[low, high])
    return Uniform(uniform=[low, high])


def expected_of(sweep: SweepData, ends: Sequence[End]) -> tuple[End, ...]:
    """What the surface expects of the points that have not run, the best first; none of them while
    too few others have come to their ends."""
    points = list(islice(_not_run(sweep), MOST_NOT_RUN))
    if not points or sum(end.measured for end in ends) < FEWEST:
        return ()
    values, deviations = surface_of(sweep, ends).forecast(points)
    expected = [
        End(point=point, value=sweep.sign * float(value), deviation=float(deviation))
        for point, value, deviation in zip(points, values, deviations, strict=True)
    ]
    return tuple(sorted(expected, key=lambda end: sweep.sign * end.value))


def _not_run(sweep: SweepData) -> Iterator[Point]:
    """The listed points that a search which chooses by results has not chosen."""
    spec = sweep.spec
    listed = all(parameter.options for parameter in sweep.parameters)
    if spec is None or spec.search.algorithm != "model" or not listed:
        return
    run = [trial.point for trial in sweep.trials]
    for point in grid_points(spec.space, spec.search.seed):
        if point not in run and spec.admits(point):
            yield point
