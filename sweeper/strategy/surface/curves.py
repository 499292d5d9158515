"""Where trials that have not ended will end: from how far they have come, from what their learning
rate will still do, and from what was left of the way for others.

What is forecast is the drop of the loss from here to the end. It is smooth over the settings, over
the loss here, and over two numbers of the schedule, which is known in advance: the share of the sum
of all learning rates that is behind, and the learning rate now as a share of its peak (the two that
the annealing law of arXiv 2408.11029 rests on). So a trial in its warmup is known to have more
before it.

Losses are compared after `log(1 + gap / spread)`, as on the surface: by how much a trial that is
far off, or diverges, comes down says little about the best, and its noise is larger.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from sweeper.spec.points import Point
from sweeper.strategy.surface.axes import Array, Axes
from sweeper.strategy.surface.observation import CALIBRATION
from sweeper.strategy.surface.process import Process
from sweeper.strategy.surface.surface import Final
from trainable.config import TrainConfig
from trainable.optimisation.schedule import learning_rate_at

NODES = 256  # of the integral over the learning rate
# Of the coordinates beside the settings, in units of the axes; the loss here has its own spread.
SCHEDULE_UNITS = (2.0, 1.0)
LOSS_UNITS = 0.5
NINETY_PERCENT = 1.645  # deviations to each side of a normal distribution


@dataclass(frozen=True)
class Schedule:
    """What the learning rate of a run does, over its progress from 0 to 1. An unknown one stays."""

    config: TrainConfig | None

    @cached_property
    def _rates(self) -> Array:
        if self.config is None:
            return np.ones(NODES)
        steps = np.linspace(0, self.config.max_steps, NODES + 1)[1:]
        return np.array([learning_rate_at(self.config, math.ceil(step)) for step in steps])

    def at(self, progress: float) -> tuple[float, float]:
        """The share of the sum of the learning rates that is behind, and the learning rate there as
        a share of its peak."""
        done = np.interp(progress * NODES, np.arange(NODES + 1), np.append(0, self._sums))
        rate = np.interp(progress * NODES, np.arange(1, NODES + 1), self._rates)
        return float(done / self._sums[-1]), float(rate / self._rates.max())

    @cached_property
    def _sums(self) -> Array:
        return np.cumsum(self._rates)


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far a point has come. Of the curve, `progress` is ascending, from above 0 to 1."""

    point: Point
    schedule: Schedule
    progress: tuple[float, ...]
    values: tuple[float, ...]  # less is better; finite
    ended: bool

    @property
    def last(self) -> float:
        return self.progress[-1]

    def value_at(self, progress: float) -> float:
        after = bisect.bisect_left(self.progress, progress)
        if after < len(self.progress) and self.progress[after] == progress:
            return self.values[after]
        return float(np.interp(progress, self.progress, self.values))


class Ends:
    """The courses that have come to their ends, and what they say about all others."""

    def __init__(self, axes: Axes, *, scheduled: bool = True) -> None:
        """
        Args:
            scheduled: Whether the values are a loss, which falls as the schedule has it.
        """
        self._axes, self._scheduled = axes, scheduled
        self._ended: list[Course] = []
        self._drops: dict[float, Drop | None] = {}

    @property
    def best(self) -> float:
        return min(course.values[-1] for course in self._ended)

    def add(self, course: Course) -> None:
        self._ended.append(course)
        self._drops.clear()

    def final(self, course: Course) -> Final | None:
        """Where the course ends. None where that cannot be told yet: too few others have come to
        their ends, or it has not begun."""
        if course.ended:
            return Final(point=course.point, value=course.values[-1])
        drop = self.drop(course.last) if course.values else None
        return drop.finals([course])[0] if drop else None

    def drop(self, progress: float) -> "Drop | None":
        """From there to the end; None where too few curves are there to tell."""
        if progress not in self._drops:
            there = [course for course in self._ended if course.progress[0] <= progress]
            self._drops[progress] = (
                Drop(progress, self._axes, there, scheduled=self._scheduled)
                if len(there) >= CALIBRATION
                else None
            )
        return self._drops[progress]


def finals_of(
    axes: Axes, courses: Sequence[Course], *, scheduled: bool = True
) -> list[Final | None]:
    """Where each of the courses ends, as far as it can be told."""
    ends = Ends(axes, scheduled=scheduled)
    for course in courses:
        if course.ended:
            ends.add(course)
    return [ends.final(course) for course in courses]


class Drop:
    """By how much the loss falls from some progress to the end."""

    def __init__(
        self, progress: float, axes: Axes, ended: Sequence[Course], *, scheduled: bool
    ) -> None:
        self.progress, self._axes, self._scheduled = progress, axes, scheduled
        ends = np.array([course.values[-1] for course in ended])
        self._scale = _Scale.of(ends)
        here = self._here(ended)
        self._centre, self._spread = here.mean(), here.std() or 1.0
        self._process = Process(self._at(ended), here - self._scale.at(ends))
        self._farthest = max(abs(c.values[-1] - c.value_at(progress)) for c in ended)
        self._floor = 0.0 if min(min(course.values) for course in ended) >= 0 else -math.inf

    @property
    def noise(self) -> float:
        """The deviation of an end near the best by noise alone."""
        return self._process.noise * self._scale.spread

    def finals(self, courses: Sequence[Course]) -> list[Final]:
        """Where these end, from what they were at this progress: the median of what is possible,
        and a deviation of which 1.645 to each side hold nine of ten ends."""
        drops, deviations = self._process.forecast(self._at(courses))
        unsure = self._process.inflation * np.hypot(deviations, self._process.noise)
        low, high = np.array([self._bounds(course) for course in courses]).T
        bounds = self._scale.at(low), self._scale.at(high)
        ends = _within(*bounds, self._here(courses) - drops, unsure)
        least, median, most = self._scale.back(ends)
        width = np.maximum(most - median, median - least) / NINETY_PERCENT
        return [
            Final(point=course.point, value=float(value), deviation=float(deviation))
            for course, value, deviation in zip(courses, median, width, strict=True)
        ]

    def _bounds(self, course: Course) -> tuple[float, float]:
        """What an end lies in: not below both where it is and the best of all, nor above the worst
        that it has been, by more than any has moved from here to its end. What has never been
        below 0 does not end there."""
        here = course.value_at(self.progress)
        worst = max(here, *course.values[: bisect.bisect_right(course.progress, self.progress)])
        least = min(here, self._scale.best) - self._farthest
        return max(least, self._floor), worst + self._farthest

    def _here(self, courses: Sequence[Course]) -> Array:
        return self._scale.at(np.array([course.value_at(self.progress) for course in courses]))

    def _at(self, courses: Sequence[Course]) -> Array:
        settings = self._axes.coordinates([course.point for course in courses])
        beyond = (self._here(courses) - self._centre)[:, None] / self._spread
        loss = LOSS_UNITS * np.arcsinh(beyond)  # far beyond those that have ended is not farther
        if not self._scheduled:
            return np.hstack([settings, loss])
        schedule = [course.schedule.at(self.progress) for course in courses]
        return np.hstack([settings, loss, np.array(schedule) * SCHEDULE_UNITS])


@dataclass(frozen=True)
class _Scale:
    """On which differences near the best count as they are, and those far above it as their
    logarithm. Below the best nothing is far."""

    best: float
    spread: float

    @classmethod
    def of(cls, ends: Array) -> "_Scale":
        best = float(ends.min())
        gaps = ends[ends > best] - best
        return cls(best, float(np.exp(np.log(gaps).mean())) if len(gaps) else 1.0)

    def at(self, values: Array) -> Array:
        gap = (values - self.best) / self.spread
        scaled: Array = np.where(gap > 0, np.log1p(np.maximum(gap, 0)), gap)
        return scaled

    def back(self, scaled: Array) -> Array:
        gap = np.where(scaled > 0, np.expm1(np.maximum(scaled, 0)), scaled)
        values: Array = self.best + self.spread * gap
        return values


def _within(low: Array, high: Array, mean: Array, deviation: Array) -> Array:
    """The quantiles of 5, 50 and 95 % of normal distributions, each cut off at its bounds: an array
    of shape (3, n). One whose mean is beyond them has erred by at least so much there, and is as
    unsure."""
    deviation = np.hypot(deviation, np.maximum(0, np.maximum(low - mean, mean - high)))
    below, above = ndtr((low - mean) / deviation), ndtr((high - mean) / deviation)
    shares = np.array([0.05, 0.5, 0.95])[:, None]
    quantiles: Array = mean + deviation * ndtri(below + shares * (above - below))
    return quantiles
