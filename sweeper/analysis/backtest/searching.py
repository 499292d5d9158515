"""Searches that learn, on recorded curves: they may only have the points that were recorded."""

import math
from collections.abc import Mapping, Sequence

from sweeper.analysis.backtest.recording import Field
from sweeper.analysis.reading.parameters import of_space
from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.engine.observing import Observer
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.search.searcher import make_searcher
from sweeper.strategy.simulation import Choose, Seen


def chooser(field: Field, spec: SweepSpec, order: Sequence[int]) -> Choose:
    """Asks the searcher of the spec, as a sweep does, and takes of the recorded settings that were
    not tried the nearest to the first point that it gives; of equals, the first in `order`."""
    searcher, observer = make_searcher(spec, ()), Observer(spec)
    assert searcher is not None, "the search learns"
    nearest, initial = Nearest(field), spec.initial_points()

    def choose(seen: Sequence[Seen]) -> int | None:
        tried = {one.job for one in seen}
        left = [setting for setting in order if setting not in tried]
        if len(seen) < len(initial):
            return nearest.of(initial[len(seen)], left)
        trials = [
            field.curves[one.job].trial(f"{number:04d}", one.status, one.stops)
            for number, one in enumerate(seen)
        ]
        for point in searcher.points(observer.observations(trials)):
            return nearest.of(point, left)
        return None

    return choose


class Nearest:
    """Finds the recorded setting that is nearest to a point, on the scales of the space."""

    def __init__(self, field: Field) -> None:
        self.axes = [_Axis(p, field) for p in of_space(field.spec.space)]
        self.places = [self._place(curve.point) for curve in field.curves]

    def of(self, point: Point, among: Sequence[int]) -> int:
        place = self._place(point)
        return min(among, key=lambda setting: _distance(place, self.places[setting]))

    def _place(self, point: Point) -> list[object]:
        return [axis.place(point) for axis in self.axes]


class _Axis:
    """Numbers lie between 0 and 1; words are the same or not."""

    def __init__(self, parameter: Parameter, field: Field) -> None:
        self.name = parameter.name
        self.is_number = parameter.scale != "category"
        self.is_log = parameter.scale == "log"
        found = [self._number(curve.point) for curve in field.curves]
        numbers = [number for number in found if number is not None]
        self.low = min(numbers, default=0.0)
        self.reach = max(numbers, default=0.0) - self.low or 1.0

    def _number(self, point: Mapping[str, Scalar]) -> float | None:
        value = point.get(self.name)
        if not self.is_number or isinstance(value, str) or value is None:
            return None
        return math.log(value) if self.is_log and value > 0 else float(value)

    def place(self, point: Mapping[str, Scalar]) -> object:
        number = self._number(point)
        return repr(point.get(self.name)) if number is None else (number - self.low) / self.reach


def _distance(one: Sequence[object], other: Sequence[object]) -> float:
    return sum(
        (a - b) ** 2 if isinstance(a, float) and isinstance(b, float) else float(a != b)
        for a, b in zip(one, other, strict=True)
    )
