"""A point of the space with what its trials came to: the unit of every comparison."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from sweeper.spec.points import Point
from sweeper.status import Status


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

    @cached_property
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
