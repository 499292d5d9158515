"""What a loss costs: each point's at its end beside its parameters, FLOPs, tokens and seconds, and
which points none is both cheaper and better than."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.record.results.point_result import PointResult

CostName = Literal["parameters", "FLOPs", "tokens", "seconds"]
ALIKE = 1.01  # costs that are closer together than this are one and the same


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A point that came to its end, and what that took."""

    result: PointResult[TrialData]
    cost: float
    value: float  # that it stands by
    on_front: bool


@dataclass(frozen=True, kw_only=True)
class Front:
    """All points by one kind of cost, the cheapest first."""

    cost: CostName
    points: tuple[Priced, ...]


def fronts_of(sweep: SweepData) -> tuple[Front, ...]:
    """By each cost that is not the same for all points; none where they differ in their seconds
    alone, which say more of the machine than of the points."""
    points = sweep.ranking.points
    costs = {name: [cost(result) for result in points] for name, cost in COSTS.items()}
    fronts = {
        name: front
        for name, values in costs.items()
        if (front := _front(sweep, name, points, values)) is not None
    }
    return tuple(fronts.values()) if fronts.keys() - {"seconds"} else ()


def _params(result: PointResult[TrialData]) -> float | None:
    return result.best.num_params


def _flops(result: PointResult[TrialData]) -> float | None:
    trial = result.best
    return None if trial.flops_per_step is None else trial.step * trial.flops_per_step


def _tokens(result: PointResult[TrialData]) -> float | None:
    trial = result.best
    return None if trial.tokens_per_step is None else trial.step * trial.tokens_per_step


def _seconds(result: PointResult[TrialData]) -> float | None:
    """Of training, in the mean over the seeds."""
    known = [trial.seconds for trial in result.completed if trial.seconds is not None]
    return fmean(known) if known else None


COSTS: dict[CostName, Callable[[PointResult[TrialData]], float | None]] = {
    "parameters": _params,
    "FLOPs": _flops,
    "tokens": _tokens,
    "seconds": _seconds,
}


def _front(
    sweep: SweepData,
    name: CostName,
    points: Sequence[PointResult[TrialData]],
    costs: Sequence[float | None],
) -> Front | None:
    ranking = sweep.ranking
    known = [
        (cost, ranking.value_of(point), point)
        for cost, point in zip(costs, points, strict=True)
        if cost and ranking.is_comparable(point)
    ]
    if not known or max(c for c, *_ in known) <= ALIKE * min(c for c, *_ in known):
        return None
    known.sort(key=lambda each: (each[0], sweep.sign * each[1]))
    priced, best = [], math.inf
    for cost, value, point in known:
        on_front = sweep.sign * value < best
        best = min(best, sweep.sign * value)
        priced.append(Priced(result=point, cost=cost, value=value, on_front=on_front))
    return Front(cost=name, points=tuple(priced))
