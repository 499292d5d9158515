"""How far a sweep's points have come, as the forecast of their ends needs it."""

import math
from collections.abc import Sequence

from sweeper.spec.clock import clock_per_step
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec, sign_of
from sweeper.spec.trainer.schedule import scheduled_as
from sweeper.status import Status
from sweeper.strategy.surface.axes import Axes
from sweeper.strategy.surface.curves import Course, Schedule, finals_of
from sweeper.strategy.surface.observation import Observation
from sweeper.strategy.surface.surface import Final


class Courses:
    """Turns observations of a sweep's points into where these end."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.axes = Axes(spec.space)
        self.sign = sign_of(spec.objective.mode)
        known = spec.trainer is None or spec.trainer.schedule is not None
        self.scheduled = spec.objective.falls and known
        self._lengths: dict[str, tuple[Schedule, int]] = {}

    def finals(self, observations: Sequence[Observation]) -> list[Final | None]:
        """Where each point ends; None where nothing can be said about it yet. One that diverged
        has learnt nothing: it ends as the worst that any other is or began with."""
        courses = [self.course(observation) for observation in observations]
        finals = finals_of(self.axes, courses, scheduled=self.scheduled)
        known = [final.value for final in finals if final is not None]
        if not known:
            return finals
        worst = max(*known, *(course.values[0] for course in courses if course.values))
        return [
            Final(point=seen.point, value=worst) if _is_lost(seen) else final
            for seen, final in zip(observations, finals, strict=True)
        ]

    def course(self, seen: Observation) -> Course:
        schedule, end = self._length(seen.point)
        ended = seen.status is Status.COMPLETED and seen.value is not None
        curve = () if _is_lost(seen) else seen.curve
        progress = [time / end for time, value in curve if math.isfinite(value)]
        values = [self.sign * value for _, value in curve if math.isfinite(value)]
        if ended and (not progress or progress[-1] < 1):
            progress, values = [*progress, 1.0], [*values, self.sign * (seen.value or 0.0)]
        return Course(
            point=seen.point,
            schedule=schedule,
            progress=tuple(progress),
            values=tuple(values),
            ended=ended,
        )

    def _length(self, point: Point) -> tuple[Schedule, int]:
        """The schedule at a point, and its end on the sweep's clock."""
        if (key := repr(point)) not in self._lengths:
            config = self.spec.known.config(self.spec.settings(point))
            end = config.max_steps * clock_per_step(config, self.spec.scheduler.clock)
            self._lengths[key] = Schedule(scheduled_as(config, self.spec.trainer)), end
        return self._lengths[key]


def _is_lost(seen: Observation) -> bool:
    """Whether it diverged, or has no value at its end."""
    return seen.status is Status.DIVERGED or (
        seen.status is Status.COMPLETED and seen.value is None
    )
