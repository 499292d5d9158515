"""Which trial is best: the one answer that every view of a sweep gives.

Points are compared, not trials, so that the luckiest seed of a poor point does not win: seed by
seed, or by the mean over each one's seeds. The trials may be those of a sweep at work or those of
an old table.
"""

import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Generic

from sweeper.record.results.blocks import Blocks, blocks_of
from sweeper.record.results.entrant import Entrant
from sweeper.record.results.point_result import PointResult, Rankable, T
from sweeper.record.state.finals import Finals
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import Mode, sign_of
from sweeper.status import Status

FEWEST_COMPETING = 5  # points; of more than twice as many, the better half competes

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


@dataclass(frozen=True, kw_only=True)
class Margin(Generic[T]):
    """By how much the best point is ahead of the next one.

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

    racing: tuple[PointResult[T], ...] = ()  # the finalists that may still win
    beaten: tuple[PointResult[T], ...] = ()  # those that an earlier round told from the best
    fit: Callable[[], Blocks | None]  # of the seeds' shifts, when it is asked for

    @cached_property
    def blocks(self) -> Blocks | None:
        """By which points are compared seed by seed. None: by their means."""
        return self.fit()

    @cached_property
    def ordered_by(self) -> Blocks | None:
        """Whose levels the points stand by. None: their means, which are the same and there at once
        where all had the same seeds."""
        return self.blocks if _had_other_seeds(self.points) else None

    def value_of(self, point: PointResult[T]) -> float:
        """What the point stands by: its mean, with what its seeds do to all points alike taken off
        where it had others than the rest had."""
        blocks = self.ordered_by
        return blocks.level(point) if blocks is not None and point in blocks else point.mean

    def is_comparable(self, point: PointResult[T]) -> bool:
        """Whether its value is on the scale of the others: not if it shares no seed with those that
        are compared seed by seed. Its mean may be low for its seeds alone."""
        return self.ordered_by is None or point in self.ordered_by

    @property
    def finalists(self) -> tuple[PointResult[T], ...]:
        """The points that came into the finals and of which no seed diverged: the first ones. None
        came while they have not begun."""
        return self.racing + self.beaten

    @property
    def contenders(self) -> tuple[PointResult[T], ...]:
        """Those that may be the winner."""
        if self.finals is not None and self.finals.begun is not None:
            return self.racing
        return tuple(point for point in self.points if not point.has_diverged)

    @property
    def none_is_left(self) -> bool:
        """Whether trials have completed, and yet the finals leave no point to take."""
        begun = self.finals is not None and self.finals.begun is not None
        return begun and bool(self.points) and not self.racing

    @property
    def best(self) -> PointResult[T] | None:
        """The best point: whether there is a winner, this alone says. None while no trial has
        completed, and if the finals leave none."""
        return self.points[0] if self.points and not self.none_is_left else None

    @property
    def winner(self) -> T | None:
        """The best trial of the best point, whose weights to take."""
        return None if self.best is None else self.best.best

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
        if (second := next(filter(self.is_comparable, self.points[1:]), None)) is None:
            return None
        behind = self.value_of(second) - self.value_of(self.best)
        return Margin(trial=second.best, value=sign_of(self.mode) * behind)

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
    """Best first: trials that have completed, by the levels of their points, where seeds tell them,
    or by their means; then those that have come furthest. A point of which a seed diverged is
    behind all others that have a completed trial. Finalists are before all others: those have had
    fewer seeds, and the luckiest of many with one seed is ahead of the best with four."""
    trials = list(trials)
    sign = sign_of(mode)
    points = _points(trials, sign, repeated)
    came = set() if finals is None else {*map(_key, finals.points)}
    racing, beaten = _finalists([p for p in points if _key(p.point) in came], finals)
    among = {p.best.trial_id for p in (*racing, *beaten)}
    others = [p for p in points if p.best.trial_id not in among]
    by_mean, num_competing = [*racing, *beaten, *others], len(competing(points, len(among)))
    fit = cache(lambda: blocks_of(by_mean, num_competing, len(among)))
    if _had_other_seeds(points) and (blocks := fit()) is not None:
        racing, beaten, others = (_by_level(of, sign, blocks) for of in (racing, beaten, others))
    points = [*racing, *beaten, *others]
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
        racing=tuple(racing),
        beaten=tuple(beaten),
        fit=fit,
    )


def competing(points: Sequence[PointResult[T]], num_finalists: int) -> Sequence[PointResult[T]]:
    """The better half of the points, in their order of merit, and all finalists, which are first:
    the noise is measured at these. Where training is unstable seeds move a loss by several times as
    much, and that says nothing of the others."""
    return points[: max(FEWEST_COMPETING, (len(points) + 1) // 2, num_finalists)]


def _points(trials: Iterable[T], sign: float, repeated: bool) -> list[PointResult[T]]:
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

    def merit(result: PointResult[T]) -> tuple[bool, float, str]:
        return result.has_diverged, sign * result.mean, result.best.trial_id

    return sorted(results, key=merit)


def _had_other_seeds(points: Iterable[PointResult[T]]) -> bool:
    return len({frozenset(point.by_seed) for point in points}) > 1


def _by_level(
    points: Sequence[PointResult[T]], sign: float, blocks: Blocks
) -> list[PointResult[T]]:
    """Those that are alike stay in their order. One that shares no seed with the others is behind
    them: its mean may be low for its seeds alone."""

    def merit(point: PointResult[T]) -> tuple[bool, bool, float]:
        known = point in blocks
        value = blocks.level(point) if known else point.mean
        return point.has_diverged, not known, sign * value

    return sorted(points, key=merit)


def _finalists(
    came: Sequence[PointResult[T]], finals: Finals | None
) -> tuple[list[PointResult[T]], list[PointResult[T]]]:
    """Those that may still win, and those that do not run in the last round that is over, as an
    earlier one told them from the best. These do not come back, whatever the later seeds say."""
    if finals is None or finals.begun is None:
        return [], []
    ran = {trial.seed for point in came for trial in point.trials}
    rounds = [seed for seed in finals.begun.seeds if seed in ran]
    over = rounds if finals.ended else rounds[:-1]
    racing: list[PointResult[T]] = []
    beaten: list[PointResult[T]] = []
    for point in came:
        if not point.has_diverged:
            runs = not over or any(trial.seed == over[-1] for trial in point.trials)
            (racing if runs else beaten).append(point)
    return racing, beaten


def repeats(trial: Rankable, *, repeated: bool) -> str:
    """A key that is the same for trials that differ in their seed alone. Where no point is
    repeated every trial has its own: two at one point are the same run twice, or one took over from
    the other, and say nothing about the noise."""
    return _key(trial.point) if repeated else trial.trial_id


def _key(point: Point) -> str:
    return repr(sorted(point.items()))


def _curve(trial: Rankable) -> dict[int, float]:
    return {each.step: each.value for each in trial.evaluations if each.value is not None}


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
