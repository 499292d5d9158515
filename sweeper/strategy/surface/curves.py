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

    @property
    def noise(self) -> float:
        """The deviation of an end near the best by noise alone."""
        return self._process.noise * self._scale.spread

    def finals(self, courses: Sequence[Course]) -> list[Final]:
        """Where these end, from what they were at this progress."""
        drops, deviations = self._process.forecast(self._at(courses))
        unsure = self._process.inflation * np.hypot(deviations, self._process.noise)
        ends = self._here(courses) - drops
        values, slopes = self._scale.back(ends), self._scale.slope(ends)
        return [
            Final(point=course.point, value=float(value), deviation=float(deviation))
            for course, value, deviation in zip(courses, values, unsure * slopes, strict=True)
        ]

    def _here(self, courses: Sequence[Course]) -> Array:
        return self._scale.at(np.array([course.value_at(self.progress) for course in courses]))

    def _at(self, courses: Sequence[Course]) -> Array:
        settings = self._axes.coordinates([course.point for course in courses])
        loss = LOSS_UNITS * (self._here(courses) - self._centre)[:, None] / self._spread
        if not self._scheduled:
            return np.hstack([settings, loss])
        schedule = [course.schedule.at(self.progress) for course in courses]
        return np.hstack([settings, loss, np.array(schedule) * SCHEDULE_UNITS])


@dataclass(frozen=True)
class _Scale:
    """On which differences near the best count as they are, and others as their logarithm."""

    best: float
    spread: float

    @classmethod
    def of(cls, ends: Array) -> "_Scale":
        best = float(ends.min())
        gaps = ends[ends > best] - best
        return cls(best, float(np.exp(np.log(gaps).mean())) if len(gaps) else 1.0)

    def at(self, values: Array) -> Array:
        gap = (values - self.best) / self.spread
        scaled: Array = np.sign(gap) * np.log1p(abs(gap))
        return scaled

    def back(self, scaled: Array) -> Array:
        values: Array = self.best + self.spread * np.sign(scaled) * np.expm1(abs(scaled))
        return values

    def slope(self, scaled: Array) -> Array:
        """By how much the value changes there with its place on the scale."""
        slope: Array = self.spread * np.exp(abs(scaled))
        return slope
