"""The answer of a sweep over sizes: the best of each, and what it costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweeper.analysis.noise import Noise, noise_in, noise_of
from sweeper.analysis.reading.sweep_data import Parameter, SweepData, TrialData
from sweeper.analysis.summary.optimum import OptimumInterval
from sweeper.record.ranking import rank
from sweeper.record.results.blocks import blocks_of
from sweeper.record.results.point_result import PointResult
from sweeper.spec.points import Point

MOST_SIZES = 24  # more are a space of their own, not a list of sizes


@dataclass(frozen=True, kw_only=True)
class SizeBest:
    """One size, and the best that was found at it."""

    size: Point  # what makes it: its name, or the settings that were swept
    trial: TrialData  # its winner; while none has completed, who has come furthest
    best: PointResult[TrialData] | None  # None while none has completed
    value: float | None  # that this stands by among the points of all sizes
    is_comparable: bool = True  # with them: `Ranking.is_comparable`
    noise: Noise[TrialData] | None  # among its own points; None where it is not known
    optima: tuple[OptimumInterval, ...]  # of the numeric settings, at this size

    @property
    def settings(self) -> Point:
        """What else was swept, at its best."""
        return {k: v for k, v in self.trial.point.items() if k not in self.size}

    @property
    def rivals(self) -> tuple[PointResult[TrialData], ...]:
        """The points of this size that noise does not tell from its best."""
        return () if self.noise is None else self.noise.tied[1:]


def sizes_of(sweep: SweepData, optima: Sequence[OptimumInterval]) -> tuple[SizeBest, ...]:
    """From the smallest to the largest, those that a trial was evaluated at; none where the sweep
    is not over sizes, or only one has begun.

    Each is compared with itself alone: at another size a seed moves the loss by another amount.
    """
    makers = [parameter for parameter in sweep.parameters if parameter.changes_size]
    if not makers or not all(parameter.options for parameter in makers):
        return ()
    groups: dict[tuple[object, ...], list[TrialData]] = {}
    for trial in sweep.trials:
        if trial.evaluations:
            key = tuple(trial.point.get(maker.name) for maker in makers)
            groups.setdefault(key, []).append(trial)
    if not 1 < len(groups) <= MOST_SIZES:
        return ()
    ordered = sorted(groups.values(), key=lambda trials: _order(makers, trials[0]))
    return tuple(_best_of(sweep, makers, optima, trials) for trials in ordered)


def _order(makers: Sequence[Parameter], trial: TrialData) -> tuple[int, ...]:
    """By parameters; the names of as many have an order of their own."""
    places = (
        maker.options.index(value)
        if (value := trial.point.get(maker.name)) in maker.options
        else len(maker.options)
        for maker in makers
    )
    return (trial.num_params or 0, *places)


def _best_of(
    sweep: SweepData,
    makers: Sequence[Parameter],
    optima: Sequence[OptimumInterval],
    trials: Sequence[TrialData],
) -> SizeBest:
    # Where a seed of each finalist of a size diverged, it is as if none of it had been one.
    finalists = [result.point for result in sweep.ranking.finalists if result.best in trials]
    finals = None if sweep.finals is None else sweep.finals.among(finalists)
    ranking = rank(trials, sweep.mode, repeated=sweep.repeated, finals=finals)
    leader = ranking.leader or ranking.trials[0]
    size = {m.name: leader.point[m.name] for m in makers if m.name in leader.point}
    return SizeBest(
        size=size,
        trial=leader,
        best=ranking.best,
        value=None if ranking.best is None else sweep.ranking.value_of(ranking.best),
        is_comparable=ranking.best is None or sweep.ranking.is_comparable(ranking.best),
        noise=noise_in(ranking) if ranking.points else None,
        optima=tuple(_own(optima, size)),
    )


def _own(optima: Sequence[OptimumInterval], size: Point) -> Iterator[OptimumInterval]:
    """Intervals are of one name's value; a size of several names has none of its own."""
    if len(size) == 1:
        yield from (o for o in optima if o.group is not None and o.group in size.values())


def noise_between(sizes: Sequence[SizeBest], sign: float) -> Noise[TrialData] | None:
    """How far apart the best of two sizes must be to be more than chance, seed by seed where they
    had the same; None where no size has a best with two seeds."""
    ended = [(sign * s.value, s.best) for s in sizes if s.best is not None and s.value is not None]
    bests = [best for _, best in sorted(ended, key=lambda each: each[0])]
    return noise_of(bests, blocks=blocks_of(bests, len(bests))) if len(bests) > 1 else None
