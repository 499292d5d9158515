"""Where the trials of a sweep will end, as a scheduler asks for it: it tells each evaluation once,
and asks at the rungs. Everywhere here, less is better."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec, sign_of
from sweeper.status import Status
from sweeper.strategy.surface.observation import CALIBRATION, Observation

if TYPE_CHECKING:
    from sweeper.strategy.surface.courses import Courses
    from sweeper.strategy.surface.curves import Course, Ends


class Expected(NamedTuple):
    """Where a trial ends; the deviation is 0 where it has ended."""

    value: float
    deviation: float


class Foresight(Protocol):
    def added(self, trial_id: str, end: int, point: Point | None) -> None:
        """A trial has been created; it ends at `end` on the sweep's clock."""

    def reached(self, trial_id: str, time: int, score: float) -> None:
        """What the trial has come to there; finite."""

    def is_calibrated(self, trial_id: str, time: int) -> bool:
        """Whether enough trials have ended to say from `time` where this one will."""

    def expected(self, trial_ids: Sequence[str], time: int) -> list[Expected]:
        """Where these end, from what they were at `time`, at which all have been."""

    def to_beat(self, trial_id: str, time: int) -> Expected:
        """The best end at any other point than the trial's, the mean over seeds, and the deviation
        that noise alone gives to an end."""


class Foreseen:
    """For a simulation in which a trial says at each rung what it will come to."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._length: dict[str, int] = {}
        self._ended: dict[str, float] = {}

    def added(self, trial_id: str, end: int, point: Point | None) -> None:
        self._length[trial_id] = end

    def reached(self, trial_id: str, time: int, score: float) -> None:
        self._last[trial_id] = score
        if time >= self._length[trial_id]:
            self._ended[trial_id] = score

    def is_calibrated(self, trial_id: str, time: int) -> bool:
        return len(self._ended) >= CALIBRATION

    def expected(self, trial_ids: Sequence[str], time: int) -> list[Expected]:
        return [Expected(self._last[trial_id], 0.0) for trial_id in trial_ids]

    def to_beat(self, trial_id: str, time: int) -> Expected:
        return Expected(min(self._ended.values()), 0.0)


@dataclass
class _Seen:
    point: Point
    end: int
    curve: list[tuple[int, float]] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        return bool(self.curve) and self.curve[-1][0] >= self.end

    @property
    def last(self) -> float:
        return self.curve[-1][1]


class CurveForesight:
    """By the model of the curves. What it needs takes a moment to import, so it is not before it is
    asked."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec
        self._sign = sign_of(spec.objective.mode)
        self._seen: dict[str, _Seen] = {}
        self._ends_at: dict[str, list[float]] = defaultdict(list)  # point -> of its seeds
        self._news: list[str] = []  # trials that have ended and are not in the model yet
        self._model: tuple[Courses, Ends] | None = None
        self._courses: dict[str, tuple[int, Course]] = {}

    def added(self, trial_id: str, end: int, point: Point | None) -> None:
        assert point is not None, "a forecast needs a trial's settings"
        self._seen[trial_id] = _Seen(point, end)

    def reached(self, trial_id: str, time: int, score: float) -> None:
        seen = self._seen[trial_id]
        seen.curve.append((time, score))
        if seen.has_ended:
            self._ends_at[repr(seen.point)].append(score)
            self._news.append(trial_id)

    def is_calibrated(self, trial_id: str, time: int) -> bool:
        if sum(map(len, self._ends_at.values())) < CALIBRATION:
            return False
        others = self._ends_at.keys() - {repr(self._seen[trial_id].point)}
        return bool(others) and self._ends().drop(self._progress(trial_id, time)) is not None

    def expected(self, trial_ids: Sequence[str], time: int) -> list[Expected]:
        found: dict[str, Expected] = {}
        alike: dict[float, list[str]] = defaultdict(list)
        for trial_id in trial_ids:
            if self._seen[trial_id].has_ended:
                found[trial_id] = Expected(self._seen[trial_id].last, 0.0)
            else:
                alike[self._progress(trial_id, time)].append(trial_id)
        for progress, of in alike.items():
            if (drop := self._ends().drop(progress)) is not None:
                finals = drop.finals([self._course(trial_id) for trial_id in of])
                ends = [Expected(final.value, final.deviation) for final in finals]
            else:  # its length is another one: nobody of its kind has been there
                ends = [Expected(self._seen[trial_id].last, math.inf) for trial_id in of]
            found |= dict(zip(of, ends, strict=True))
        return [found[trial_id] for trial_id in trial_ids]

    def to_beat(self, trial_id: str, time: int) -> Expected:
        own = repr(self._seen[trial_id].point)
        best = min(fmean(ends) for point, ends in self._ends_at.items() if point != own)
        drop = self._ends().drop(self._progress(trial_id, time))
        return Expected(best, 0.0 if drop is None else drop.noise)

    def _progress(self, trial_id: str, time: int) -> float:
        return time / self._seen[trial_id].end

    def _ends(self) -> "Ends":
        """The model, with all that have ended."""
        if self._model is None:
            from sweeper.strategy.surface.courses import Courses
            from sweeper.strategy.surface.curves import Ends

            courses = Courses(self._spec)
            self._model = courses, Ends(courses.axes, scheduled=courses.scheduled)
        _, ends = self._model
        news, self._news = self._news, []
        for trial_id in news:
            ends.add(self._course(trial_id))
        return ends

    def _course(self, trial_id: str) -> "Course":
        assert self._model is not None, "there is something to forecast with"
        seen = self._seen[trial_id]
        length, course = self._courses.get(trial_id, (0, None))
        if course is None or length != len(seen.curve):
            status = Status.COMPLETED if seen.has_ended else Status.RUNNING
            curve = tuple((time, self._sign * score) for time, score in seen.curve)
            value = curve[-1][1] if seen.has_ended else None
            course = self._model[0].course(Observation(seen.point, status, value, curve))
            self._courses[trial_id] = len(seen.curve), course
        return course
