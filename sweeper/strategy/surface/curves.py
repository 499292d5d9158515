"""Where trials that have not ended will end: from how far they have come, from what their learning
rate will still do, and from what is left of the way for others.

What is forecast is the drop of the loss from here to the end. It is smooth over the settings and
over two numbers of the schedule, which is known in advance: the share of the sum of all learning
rates that is behind, and the learning rate now as a share of its peak (the two that the annealing
law of arXiv 2408.11029 rests on). So a trial in its warmup is known to have more before it.
"""

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


@dataclass(frozen=True)
class Schedule:
    """What the learning rate of a run does, over its progress from 0 to 1."""

    config: TrainConfig

    @cached_property
    def _rates(self) -> Array:
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
        return float(np.interp(progress, self.progress, self.values))


def finals_of(axes: Axes, courses: Sequence[Course]) -> list[Final | None]:
    """Where each of the courses ends. None where that cannot be told yet: too few others have come
    to their ends, or it has not begun."""
    ended = [course for course in courses if course.ended]
    finals: list[Final | None] = []
    forecasts: dict[float, Drop | None] = {}
    for course in courses:
        if course.ended:
            finals.append(Final(point=course.point, value=course.values[-1]))
            continue
        if not course.values:
            finals.append(None)
            continue
        if course.last not in forecasts:
            forecasts[course.last] = Drop.after(course.last, axes, ended)
        drop = forecasts[course.last]
        finals.append(drop.final(course) if drop else None)
    return finals


class Drop:
    """By how much the loss falls from some progress to the end."""

    def __init__(self, progress: float, axes: Axes, ended: Sequence[Course]) -> None:
        self.progress, self._axes = progress, axes
        drops = [course.value_at(progress) - course.values[-1] for course in ended]
        self._process = Process(self._at(ended), np.array(drops))

    @classmethod
    def after(cls, progress: float, axes: Axes, ended: Sequence[Course]) -> "Drop | None":
        """None where too few curves are there to tell."""
        there = [course for course in ended if course.progress[0] <= progress]
        return cls(progress, axes, there) if len(there) >= CALIBRATION else None

    def final(self, course: Course) -> Final:
        drop, deviation = self._process.forecast(self._at([course]))
        unsure = self._process.inflation * math.hypot(deviation[0], self._process.noise)
        return Final(
            point=course.point,
            value=course.values[-1] - float(drop[0]),
            deviation=unsure,
        )

    def _at(self, courses: Sequence[Course]) -> Array:
        settings = self._axes.coordinates([course.point for course in courses])
        schedule = [course.schedule.at(self.progress) for course in courses]
        return np.hstack([settings, np.array(schedule) * (2.0, 1.0)])
