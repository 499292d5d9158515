"""Which of several sweeps has the best point: as if their points were those of one sweep."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose

from sweeper.analysis.noise import Noise, spread_of
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.record.ranking import Ranking, competing
from sweeper.record.results.blocks import blocks_of
from sweeper.record.results.point_result import PointResult

Result = PointResult[TrialData]
# A seed means the same order of the data; where these differ it gives other batches of it.
BATCHES = ("batch_size", "context_length")


@dataclass(frozen=True)
class Lead:
    """Of sweeps that were measured alike, by the trial that each takes for its best (a sweep of
    which that trial was not measured has none)."""

    sweeps: Mapping[str, SweepData]
    winners: Mapping[str, str]

    @cached_property
    def values(self) -> dict[str, float]:
        """What each sweep's best point stands by, best first: by the rules of a ranking, with what
        its seeds do to all points alike taken off, where the sweeps share seeds that tell it."""
        ranking, bests = self._ranking, self._bests
        on_one_scale = all(map(ranking.is_comparable, bests.values()))
        values = {n: ranking.value_of(p) if on_one_scale else p.mean for n, p in bests.items()}
        return dict(sorted(values.items(), key=lambda each: each[1], reverse=ranking.mode == "max"))

    @property
    def is_corrected(self) -> bool:
        """Whether what a best point stands by is not its mean."""
        return any(not isclose(self.values[n], p.mean) for n, p in self._bests.items())

    @property
    def margin(self) -> float | None:
        """By how much the first is ahead of the next; None if there is none."""
        first, second, *_ = *self.values.values(), None, None
        return None if first is None or second is None else abs(second - first)

    @property
    def chance(self) -> float | None:
        """A lead of the first over the next that can be chance: Tukey's test over the points of
        all. None if no point of one of the sweeps was repeated, or there is no other."""
        halves = [self._points[name][0] for name in self.values]
        spread = spread_of([point for half in halves for point in half])
        if len(halves) < 2 or spread is None or None in map(spread_of, halves):
            return None
        deviation, degrees = spread
        noise: Noise[TrialData] = Noise(
            deviation=deviation, degrees=degrees, tied=(), blocks=self._ranking.blocks
        )
        first, second = [self._bests[name] for name in self.values][:2]
        return noise.compared(first, second, len(self._ranking.points))[1]

    @cached_property
    def _points(self) -> dict[str, tuple[list[Result], list[Result]]]:
        """Of each sweep those that compete, by which the noise is measured, and the others."""
        configs = [winner.config for s in self.sweeps.values() if (winner := s.ranking.winner)]
        shared = all(c.get(name) == configs[0].get(name) for c in configs for name in BATCHES)
        found = {}
        for name, sweep in self.sweeps.items():
            points = [_of_sweep(name, point, shared) for point in sweep.ranking.points]
            number = len(competing(points, len(sweep.ranking.finalists)))
            found[name] = points[:number], points[number:]
        return found

    @cached_property
    def _bests(self) -> dict[str, Result]:
        return {
            name: point
            for name, (competing, others) in self._points.items()
            for point in (*competing, *others)
            if any(
                trial.trial_id == f"{name}/{self.winners.get(name)}" for trial in point.completed
            )
        }

    @cached_property
    def _ranking(self) -> Ranking[TrialData]:
        first = [point for competing, _ in self._points.values() for point in competing]
        points = (*first, *(point for _, others in self._points.values() for point in others))
        return Ranking(
            trials=tuple(trial for point in points for trial in point.completed),
            points=points,
            mode=next(iter(self.sweeps.values())).mode,
            repeated=True,
            fit=lambda: blocks_of(points, len(first)),
        )


def _of_sweep(name: str, point: Result, shared: bool) -> Result:
    """The point, with trials that no other sweep has the names of."""

    def named(trial: TrialData) -> TrialData:
        seed = trial.seed if shared else None
        return replace(trial, trial_id=f"{name}/{trial.trial_id}", seed=seed)

    trials, completed = (tuple(map(named, each)) for each in (point.trials, point.completed))
    return PointResult(point=point.point, trials=trials, completed=completed)
