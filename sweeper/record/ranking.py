"""Which trial is best: the one answer that every view of a sweep gives.

Points are compared, each by the mean over its seeds, so that the luckiest seed of a poor point does
not win. The trials may be those of a sweep at work or those of an old table.
"""

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from sweeper.record.state.finals import Finals
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import Mode, sign_of
from sweeper.status import Status

SEED = "seed"  # among the values of a trial that `seeds:` repeats

# Trials of one status are compared only with each other: a trial that was stopped at step 75 has
# not had the end of its schedule.
_MERIT = [
    Status.COMPLETED,
    Status.RUNNING,
    Status.PAUSED,
    Status.INTERRUPTED,
    Status.PENDING,
    Status.STOPPED,
    Status.DIVERGED,
    Status.FAILED,
]


class Measured(Protocol):
    """The objective at a step; None if it was not a number."""

    @property
    def step(self) -> int: ...
    @property
    def value(self) -> float | None: ...


class Rankable(Protocol):
    """What a ranking needs of a trial. `step` and `value` are those of its last evaluation."""

    @property
    def trial_id(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def point(self) -> Point: ...  # without its repeated seed
    @property
    def seed(self) -> int | None: ...  # None: not known
    @property
    def step(self) -> int: ...
    @property
    def value(self) -> float | None: ...
    @property
    def evaluations(self) -> Sequence[Measured]: ...


T = TypeVar("T", bound=Rankable)


@dataclass(frozen=True, kw_only=True)
class PointResult(Generic[T]):
    """A point of the space, and what its trials, one for each seed, reached at their ends."""

    point: Point
    trials: tuple[T, ...]
    completed: tuple[T, ...]  # those of them that completed: at least one, best first

    @property
    def best(self) -> T:
        """The trial whose weights to take."""
        return self.completed[0]

    @property
    def by_seed(self) -> dict[int | str, float]:
        """Best first: a point that was drawn twice with one seed is the same run twice. Where a
        seed is not known the trial's id stands for it."""
        by_seed = {
            trial.trial_id if trial.seed is None else trial.seed: trial.value
            for trial in reversed(self.completed)
        }
        return {seed: v for seed, v in reversed(by_seed.items()) if v is not None}

    @property
    def values(self) -> list[float]:
        """One for each seed."""
        return list(self.by_seed.values())

    @cached_property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Over the seeds; None if fewer than two have completed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def has_diverged(self) -> bool:
        """Whether a seed has: what its others came to is not what to expect of it."""
        return any(trial.status is Status.DIVERGED for trial in self.trials)

    @property
    def is_flattered(self) -> bool:
        """Whether some seeds were stopped or diverged: then the mean is of the good ones only."""
        return any(t.status in {Status.STOPPED, Status.DIVERGED} for t in self.trials)


@dataclass(frozen=True, kw_only=True)
class Margin(Generic[T]):
    """By how much the best point is ahead of the next one, in the mean over their seeds.

    Above 0 means ahead, whether less or more is better. If no other point has completed, the margin
    is taken at the last step at which both were evaluated; there the best can be behind.
    """

    trial: T  # the best of the next point
    value: float
    step: int | None = None  # None: at their ends


@dataclass(frozen=True, kw_only=True)
class Ranking(Generic[T]):
    """Trials and points in order of merit."""

    trials: tuple[T, ...]  # all: the completed ones of the best point, those of the next, …
    points: tuple[PointResult[T], ...]  # those that have a completed trial
    mode: Mode
    repeated: bool  # whether trials at one point are its seeds
    finals: Finals | None = None  # of the sweep, if it has any

    @property
    def finalists(self) -> tuple[PointResult[T], ...]:
        """The points that came into the finals and are not out: the first ones. None came while
        they have not begun."""
        came = set() if self.finals is None else {*map(_key, self.finals.points)}
        return tuple(p for p in self.points if _key(p.point) in came and not p.has_diverged)

    @property
    def best(self) -> PointResult[T] | None:
        """The best point; None while no trial has completed."""
        return self.points[0] if self.points else None

    @property
    def winner(self) -> T | None:
        """The best trial of the best point, whose weights to take."""
        return self.points[0].best if self.points else None

    @property
    def leader(self) -> T | None:
        """The winner; until there is one, the best that has been evaluated."""
        return next((trial for trial in self.trials if trial.value is not None), None)

    @cached_property
    def margin(self) -> Margin[T] | None:
        """None if there is nothing to compare the winner with."""
        if self.best is None:
            return None
        if len(self.points) == 1:
            return self._margin_on_the_way(self.best, self.trials)
        second = self.points[1]
        return Margin(trial=second.best, value=sign_of(self.mode) * (second.mean - self.best.mean))

    @cached_property
    def challenge(self) -> Margin[T] | None:
        """Of the trials that are under way, the one that stood best beside the winner where both
        were evaluated last: what is best so far may not be so at the end. None if there is none."""
        if self.best is None:
            return None
        under_way = [t for t in self.trials if not t.status.ended and t.value is not None]
        margins = [self._margin_on_the_way(self.best, [trial]) for trial in under_way]
        return min(filter(None, margins), key=lambda margin: margin.value, default=None)

    def _margin_on_the_way(self, best: PointResult[T], others: Iterable[T]) -> Margin[T] | None:
        ours = [_curve(trial) for trial in best.completed]
        shared = set.intersection(*(set(curve) for curve in ours))
        own = {trial.trial_id for trial in best.trials}
        for trial in others:
            steps = shared & _curve(trial).keys()
            if trial.trial_id in own or not steps:
                continue
            step, key = max(steps), repeats(trial, repeated=self.repeated)
            same = (t for t in self.trials if repeats(t, repeated=self.repeated) == key)
            theirs = [curve[step] for curve in map(_curve, same) if step in curve]
            behind = statistics.fmean(theirs) - statistics.fmean(curve[step] for curve in ours)
            return Margin(trial=trial, value=sign_of(self.mode) * behind, step=step)
        return None


def rank(
    trials: Iterable[T], mode: Mode, *, repeated: bool, finals: Finals | None = None
) -> Ranking[T]:
    """Best first: trials that have completed, by the means of their points; then those that have
    come furthest. Finalists are before all others: those have had fewer seeds, and the luckiest of
    many with one seed is ahead of the best with four. One of which a seed diverged is out of the
    finals, and behind all other points that have a completed trial."""
    trials = list(trials)
    sign = sign_of(mode)
    finalists = set() if finals is None else {*map(_key, finals.points)}
    points = _points(trials, sign, repeated, finalists)
    place = {t.trial_id: number for number, point in enumerate(points) for t in point.completed}

    def merit(trial: T) -> tuple[int, int, int, float, str]:
        score = float("inf") if trial.value is None else sign * trial.value
        step = 0 if trial.status is Status.COMPLETED else -trial.step
        among = place.get(trial.trial_id, len(points))
        return _MERIT.index(trial.status), among, step, score, trial.trial_id

    return Ranking(
        trials=tuple(sorted(trials, key=merit)),
        points=tuple(points),
        mode=mode,
        repeated=repeated,
        finals=finals,
    )


def _points(
    trials: Iterable[T], sign: float, repeated: bool, finalists: Collection[str]
) -> list[PointResult[T]]:
    groups: dict[str, list[T]] = {}
    for trial in trials:
        groups.setdefault(repeats(trial, repeated=repeated), []).append(trial)
    results = []
    for same in groups.values():
        completed = [
            (sign * trial.value, trial.trial_id, trial)
            for trial in same
            if trial.status is Status.COMPLETED and trial.value is not None
        ]
        if completed:
            completed.sort(key=lambda entry: entry[:2])
            best_first = tuple(trial for _, _, trial in completed)
            point = PointResult(point=same[0].point, trials=tuple(same), completed=best_first)
            results.append(point)

    def merit(result: PointResult[T]) -> tuple[int, float, str]:
        place = 1
        if _key(result.point) in finalists:
            place = 2 if result.has_diverged else 0
        return place, sign * result.mean, result.best.trial_id

    return sorted(results, key=merit)


def repeats(trial: Rankable, *, repeated: bool) -> str:
    """A key that is the same for trials that differ in their seed alone. Where no point is
    repeated every trial has its own: two at one point are the same run twice, or one took over from
    the other, and say nothing about the noise."""
    return _key(trial.point) if repeated else trial.trial_id


def _key(point: Point) -> str:
    return repr(sorted(point.items()))


def _curve(trial: Rankable) -> dict[int, float]:
    return {each.step: each.value for each in trial.evaluations if each.value is not None}


@dataclass(frozen=True)
class _Value:
    step: int
    value: float | None


@dataclass(frozen=True)
class Entrant:
    """A trial of a sweep at work as a ranking needs it; nothing is computed before it is used."""

    trial: Trial
    metric: str
    repeated: bool

    @property
    def trial_id(self) -> str:
        return self.trial.trial_id

    @property
    def status(self) -> Status:
        return self.trial.status

    @property
    def point(self) -> Point:
        values = self.trial.values
        return {k: v for k, v in values.items() if k != SEED} if self.repeated else values

    @property
    def seed(self) -> int:
        return self.trial.config.seed

    @property
    def step(self) -> int:
        return self.trial.step

    @property
    def value(self) -> float | None:
        last = self.trial.last_evaluation
        return None if last is None else last.value(self.metric)

    @property
    def evaluations(self) -> list[_Value]:
        return [_Value(seen.step, seen.value(self.metric)) for seen in self.trial.evaluations]


def ranking_of(state: SweepState, without: Collection[str] = ()) -> Ranking[Entrant]:
    """The ranking of a sweep's trials, without some of them, by the sweep's own objective."""
    objective, repeated = state.spec.objective, state.spec.repeats_points
    entrants = (
        Entrant(trial, objective.metric, repeated)
        for trial in state.trials.values()
        if trial.trial_id not in without
    )
    return rank(entrants, objective.mode, repeated=repeated, finals=state.finals)


def ranked(state: SweepState) -> list[Trial]:
    """All trials, best first."""
    return [entrant.trial for entrant in ranking_of(state).trials]


def best_trial(state: SweepState) -> Trial | None:
    """The winner; None while no trial has completed."""
    winner = ranking_of(state).winner
    return None if winner is None else winner.trial


def objective(state: SweepState, trial: Trial) -> float | None:
    """The metric that the sweep is about, at the trial's last evaluation."""
    return Entrant(trial, state.spec.objective.metric, repeated=False).value
