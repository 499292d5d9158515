"""The answer of a sweep, and what it rests on."""

from dataclasses import dataclass
from functools import cached_property

from sweeper.analysis.neighbours import estimated_deviation
from sweeper.analysis.noise import Noise, noise_in
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.analysis.slots import SlotUse, slot_use_of
from sweeper.analysis.summary.costs import Front, fronts_of
from sweeper.analysis.summary.ends import End, ends_of, expected_of
from sweeper.analysis.summary.importance import Importance, importance_of
from sweeper.analysis.summary.levels import Level, levels_of
from sweeper.analysis.summary.optimum import OptimumInterval, optima_of
from sweeper.analysis.summary.pairs import Pair, Plane, pairs_of, planes_of
from sweeper.analysis.summary.response import Response, responses_of
from sweeper.analysis.summary.rungs import RungRow, Savings, rungs_of, savings_of
from sweeper.analysis.summary.sizes import SizeBest, sizes_of
from sweeper.record.ranking import Margin
from sweeper.record.results.point_result import PointResult


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best point. `noise` is None if no point was repeated: then `estimate` is the deviation
    that neighbours suggest, if they do."""

    best: PointResult[TrialData]
    margin: Margin[TrialData] | None
    noise: Noise[TrialData] | None
    estimate: float | None = None

    @property
    def trial(self) -> TrialData:
        """The best of its trials, whose weights are the ones to take."""
        return self.best.best


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a sweep has found out so far. What takes a moment is worked out once it is asked for."""

    sweep: SweepData
    points: tuple[PointResult[TrialData], ...]  # of which a trial has completed, best first
    winner: Winner | None
    levels: tuple[Level, ...]
    responses: tuple[Response, ...]
    ends: tuple[End, ...]
    pairs: tuple[Pair, ...]
    rungs: tuple[RungRow, ...]
    savings: Savings | None

    @cached_property
    def expected(self) -> tuple[End, ...]:
        """Of the points that have not run, best first."""
        return expected_of(self.sweep, self.ends)

    @cached_property
    def optima(self) -> tuple[OptimumInterval, ...]:
        return optima_of(self.sweep, self.levels, self.ends)

    @cached_property
    def sizes(self) -> tuple[SizeBest, ...]:
        """The answer of a sweep over sizes, from the smallest up; none where it is over none."""
        return sizes_of(self.sweep, self.optima)

    @cached_property
    def fronts(self) -> tuple[Front, ...]:
        return fronts_of(self.sweep)

    @cached_property
    def importance(self) -> Importance | None:
        return importance_of(self.sweep, self.levels)

    @cached_property
    def planes(self) -> tuple[Plane | None, ...]:
        """Of each of `pairs`."""
        return planes_of(self.sweep, self.pairs, self.ends)

    @cached_property
    def slot_use(self) -> SlotUse | None:
        return slot_use_of(self.sweep.sessions, self.sweep.stints)


def summarise(sweep: SweepData) -> Summary:
    """Compute everything that a report says; reads and draws nothing."""
    levels, ends = levels_of(sweep), ends_of(sweep)
    return Summary(
        sweep=sweep,
        points=sweep.ranking.points,
        winner=winner_of(sweep),
        levels=levels,
        responses=responses_of(sweep, levels),
        ends=ends,
        pairs=pairs_of(sweep),
        rungs=rungs_of(sweep),
        savings=savings_of(sweep),
    )


def winner_of(sweep: SweepData) -> Winner | None:
    """None while no trial has completed."""
    ranking = sweep.ranking
    if ranking.best is None:
        return None
    noise = noise_in(ranking)
    scales = {parameter.name: parameter.scale for parameter in sweep.parameters}
    estimate = estimated_deviation(ranking.points, scales) if noise is None else None
    return Winner(best=ranking.best, margin=ranking.margin, noise=noise, estimate=estimate)
