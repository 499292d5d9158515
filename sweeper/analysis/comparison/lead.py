"""Which of several sweeps has the best point: as if their points were those of one sweep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import merge
from math import isclose

from sweeper.analysis.noise import Noise, spread_of
from sweeper.analysis.reading.sweep_data import SweepData, TrialData
from sweeper.record.ranking import competing
from sweeper.record.results.blocks import Blocks, blocks_of
from sweeper.record.results.point_result import PointResult
from sweeper.spec.sweep_spec import sign_of

Result = PointResult[TrialData]
# A seed means the same order of the data; where these differ it gives other batches of it.
BATCHES = ("batch_size", "context_length")


@dataclass(frozen=True)
class Lead:
    """Of sweeps that were measured alike, by the trial that each takes for its best (a sweep of
    which that trial was not measured has none).

    It is assumed that one deviation holds for the points of all sweeps, and that a seed moves the
    points of all whose winners had the same batches alike.
    """

    sweeps: Mapping[str, SweepData]
    winners: Mapping[str, str]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The sweeps that have a best point, best first: seed by seed those that shared seeds tie
        together, any other beside them by its mean. One of which a seed diverged is behind all of
        which none did."""
        blocks, bests = self._blocks, self._bests
        sign = sign_of(next(iter(self.sweeps.values())).mode)

        def by_mean(name: str) -> tuple[bool, float]:
            return bests[name].has_diverged, sign * bests[name].mean

        tied = (
            {} if blocks is None else {n: blocks.level(p) for n, p in bests.items() if p in blocks}
        )
        by_level = sorted(tied, key=lambda name: (bests[name].has_diverged, sign * tied[name]))
        others = sorted((name for name in bests if name not in tied), key=by_mean)
        return tuple(merge(by_level, others, key=by_mean))

    @property
    def margin(self) -> float | None:
        """By how much the first is ahead of the next. None if there is none, or if a seed of one of
        them alone diverged: what its others came to is not what to expect of it."""
        return None if self._apart is None else self._apart[0]

    @property
    def chance(self) -> float | None:
        """A lead of the first over the next that can be chance: Tukey's test over the points of
        all. None if there is no margin, or no point of one of the two was repeated."""
        return None if self._apart is None else self._apart[1]

    @property
    def caveats(self) -> Iterator[str]:
        """Why the order of the best points is not that of their means, or is no more than that."""
        if any(not isclose(self._value(best), best.mean) for best in self._bests.values()):
            yield "Their means are corrected for what the seeds that they had do to all points."
        seeds = [self._bests[name].by_seed.keys() for name in self.order[:2]]
        known = all(isinstance(seed, int) for of in seeds for seed in of)
        if self._scale is None and len(seeds) > 1 and known and seeds[0].isdisjoint(seeds[1]):
            named = " and ".join(self.order[:2])
            yield f"{named} share no seeds with the same batches: compared by their means."
        diverged = [name for name in self.order if self._bests[name].has_diverged]
        if diverged and len(diverged) < len(self.order):
            yield f"Behind the others, as a seed of its best point diverged: {', '.join(diverged)}."

    def values(self, name: str) -> dict[str, float]:
        """What each point of a sweep stands by, by the ids of its trials: on the scale on which the
        first two are compared."""
        prefix = f"{name}/"
        points = [point for half in self._points[name] for point in half]
        return {
            trial.trial_id.removeprefix(prefix): self._value(point)
            for point in points
            for trial in point.completed
        }

    def _value(self, point: Result) -> float:
        blocks = self._scale
        return point.mean if blocks is None or point not in blocks else blocks.level(point)

    @cached_property
    def _apart(self) -> tuple[float, float | None] | None:
        if len(self.order) < 2:
            return None
        first, second = (self._bests[name] for name in self.order[:2])
        if first.has_diverged != second.has_diverged:
            return None
        spread = spread_of([point for fitted, _ in self._points.values() for point in fitted])
        if spread is None:
            return abs(first.mean - second.mean), None
        noise: Noise[TrialData] = Noise(
            deviation=spread[0], degrees=spread[1], tied=(), blocks=self._blocks
        )
        among = sum(len(half) for halves in self._points.values() for half in halves)
        apart, least = noise.compared(first, second, among)
        pair = (self.sweeps[name].ranking for name in self.order[:2])
        repeated = all(spread_of(ranking.points) is not None for ranking in pair)
        return apart, least if repeated else None

    @cached_property
    def _scale(self) -> Blocks | None:
        """By which the first two are compared; None: by their means."""
        blocks, pair = self._blocks, [self._bests[name] for name in self.order[:2]]
        return blocks if blocks is not None and all(p in blocks for p in pair) else None

    @cached_property
    def _blocks(self) -> Blocks | None:
        fitted, others = (
            [point for halves in self._points.values() for point in halves[number]]
            for number in (0, 1)
        )
        return blocks_of([*fitted, *others], len(fitted))

    @cached_property
    def _bests(self) -> dict[str, Result]:
        return {
            name: point
            for name, halves in self._points.items()
            for half in halves
            for point in half
            if any(t.trial_id == f"{name}/{self.winners.get(name)}" for t in point.completed)
        }

    @cached_property
    def _points(self) -> dict[str, tuple[list[Result], list[Result]]]:
        """Of each sweep those that compete, by which the noise is measured, and the others: among
        these what another sweep has too, as one run tells of the noise once."""
        seeds: dict[tuple[object, ...], int] = {}
        seen: set[object] = set()
        found: dict[str, tuple[list[Result], list[Result]]] = {}
        for name, sweep in self.sweeps.items():
            batches = self._batches(name)
            ranked = sweep.ranking
            fitted, others = found[name] = list[Result](), list[Result]()
            number = len(competing(ranked.points, len(ranked.finalists)))
            for place, point in enumerate(ranked.points):
                is_new = seen.isdisjoint(map(_run, point.completed))
                named = _of_sweep(name, point, batches, seeds)
                (fitted if place < number and is_new else others).append(named)
            seen.update(_run(trial) for point in ranked.points for trial in point.completed)
        return found

    def _batches(self, name: str) -> tuple[object, ...]:
        trials = (t for t in self.sweeps[name].trials if t.trial_id == self.winners.get(name))
        return tuple(trial.config.get(setting) for trial in trials for setting in BATCHES)


def _run(trial: TrialData) -> tuple[object, ...]:
    """The same for a trial and one that was taken from it, or is it again."""
    return _seed(trial), *((each.step, each.value) for each in trial.evaluations)


def _seed(trial: TrialData) -> object:
    """Where no point is repeated the config alone has it."""
    return trial.config.get("seed") if trial.seed is None else trial.seed


def _of_sweep(
    name: str, point: Result, batches: tuple[object, ...], seeds: dict[tuple[object, ...], int]
) -> Result:
    """The point, with trials that no other sweep has the names of, and seeds that another has the
    numbers of if they give the same batches there."""

    def named(trial: TrialData) -> TrialData:
        seed = _seed(trial)
        number = None if seed is None else seeds.setdefault((*batches, seed), len(seeds))
        return replace(trial, trial_id=f"{name}/{trial.trial_id}", seed=number)

    trials, completed = (tuple(map(named, each)) for each in (point.trials, point.completed))
    return PointResult(point=point.point, trials=trials, completed=completed)
