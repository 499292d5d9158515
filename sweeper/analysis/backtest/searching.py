"""Searches that learn, on recorded curves: they may only have the points that were recorded."""

from collections.abc import Sequence

import numpy as np

from sweeper.analysis.backtest.recording import Field
from sweeper.engine.upcoming.observing import Observer
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.search.searcher import make_searcher
from sweeper.strategy.simulation import Choose, Seen
from sweeper.strategy.surface.axes import Axes


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
        self._axes = Axes(field.spec.space)
        self._places = self._axes.coordinates([curve.point for curve in field.curves])

    def of(self, point: Point, among: Sequence[int]) -> int:
        far = self._places[list(among)] - self._axes.coordinates([point])
        return among[int(np.argmin((far * far).sum(axis=1)))]
