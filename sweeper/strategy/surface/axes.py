"""Points as coordinates in which the loss is smooth: a unit is about the distance over which it
changes its course."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweeper.spec.domains.domain import Domain
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import Range
from sweeper.spec.domains.scale import numbers_of, scale_of, scale_of_domain
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import Point
from sweeper.spec.space import AnyDomain

Array = NDArray[np.float64]

LOG_UNIT = 2.0  # e-folds, about three octaves: doubling a learning rate shifts a loss, but not far
SPAN = 2.0  # units from one end of a linear scale to the other
# The second derivative that is expected of a loss, in units of the deviation of what is not
# expected: numbers have a best value somewhere, and a learning rate has a valley. Chosen on the
# 1,404 models of Step Law (arXiv 2503.04715), where half and twice as much do nearly as well.
BEND = 2.0
LEARNING_RATE_BEND = 8.0
APART = 0.7  # units along an axis of its own that a value without a scale stands from the others


class Axes:
    """The coordinates of a space's points."""

    def __init__(self, space: Mapping[str, AnyDomain]) -> None:
        self._axes = {name: _axis(domain) for name, domain in space.items()}
        self.bends: Array = np.array(
            [
                LEARNING_RATE_BEND if name == "learning_rate" else axis.bend
                for name, axis in self._axes.items()
                for _ in range(axis.dimensions)
            ]
        )

    def coordinates(self, points: Sequence[Point]) -> Array:
        """An array of shape (points, dimensions). A name that is not swept at a point adds nothing
        to its distance from others of that kind: it stands at 0 there."""
        rows = [
            [
                x
                for name, axis in self._axes.items()
                for x in (axis.at(point[name]) if name in point else [0.0] * axis.dimensions)
            ]
            for point in points
        ]
        return np.array(rows, dtype=np.float64).reshape(len(points), self.dimensions)

    @property
    def dimensions(self) -> int:
        return sum(axis.dimensions for axis in self._axes.values())


class _Logarithm:
    dimensions, bend = 1, BEND

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def at(self, value: Scalar) -> list[float]:
        assert isinstance(value, int | float)
        return [math.log(value + self.offset) / LOG_UNIT]


class _Line:
    dimensions, bend = 1, BEND

    def __init__(self, low: float, high: float) -> None:
        self.low, self.span = low, (high - low) or 1.0

    def at(self, value: Scalar) -> list[float]:
        assert isinstance(value, int | float)
        return [SPAN * (value - self.low) / self.span]


class _Names:
    bend = 0.0

    def __init__(self, options: Sequence[Scalar]) -> None:
        self.options = [repr(option) for option in options]  # True is not 1
        self.dimensions = len(self.options) if len(self.options) > 1 else 0

    def at(self, value: Scalar) -> list[float]:
        return [APART * (repr(value) == o) for o in self.options][: self.dimensions]


def _axis(domain: Domain) -> _Logarithm | _Line | _Names:
    scale = scale_of_domain(domain)
    match domain:
        case Grid() | Choice():
            numbers = None if domain.is_bundled else numbers_of(domain.values())
            if numbers is None:
                return _Names(domain.values())
            if scale == "log":
                return _Logarithm()
            if numbers[0] == 0 and len(numbers) > 2 and scale_of(numbers[1:]) == "log":
                return _Logarithm(offset=numbers[1])  # 0, 0.01, 0.1: 0 is the next smaller one
            return _Line(numbers[0], numbers[-1])
        case Normal():
            return _Line(domain.mean, domain.mean + 2 * domain.normal[1])
        case Range():
            return _Logarithm() if scale == "log" else _Line(*domain.bounds())
    raise AssertionError(domain)
