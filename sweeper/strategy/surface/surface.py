"""Where the points of a space will end: what has completed, what is forecast, and what has not run.

Values are compared after `log(1 + gap / spread)`, the gap to the best so far in units of the median
gap: a loss near the best then counts as it is, and one that is far off, or diverged, does not bend
the surface where it matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sweeper.spec.points import Point
from sweeper.strategy.surface.axes import Array, Axes
from sweeper.strategy.surface.process import NOISE, Process

CONTENDERS = 64  # whose chances are worked out together
SAMPLES = 32  # of each kernel


@dataclass(frozen=True, kw_only=True)
class Final:
    """Where a point ends, less being better; `deviation` is 0 where it has ended."""

    point: Point
    value: float
    deviation: float = 0.0


class Surface:
    """The finals of some points, and what they say about others."""

    def __init__(self, axes: Axes, finals: Sequence[Final], noise: float = NOISE) -> None:
        """
        Args:
            finals: At least one; their values are finite.
            noise: The share of it beside the finals' own deviations, as `Process` has it.
        """
        self._axes, self._noise = axes, noise
        self.finals = list(finals)
        values = np.array([final.value for final in finals])
        self._best = float(values.min())
        self._spread = float(np.median(values - self._best)) or float(np.ptp(values)) or 1.0
        gap = values - self._best
        own = np.array([final.deviation for final in finals]) / (self._spread + gap)
        self._at = axes.coordinates([final.point for final in finals])
        scores = np.log1p(gap / self._spread)
        self._process = Process(self._at, scores, own**2, axes.bends, noise)

    def forecast(self, points: Sequence[Point]) -> tuple[Array, Array]:
        """Where these points end: the median and the deviation, shape (m,) each."""
        mean, deviation = self._process.forecast(self._axes.coordinates(points))
        gap = np.expm1(mean)
        return self._best + self._spread * gap, self._spread * (1 + gap) * deviation

    @property
    def noise(self) -> float:
        """The deviation of an end near the best by noise alone."""
        return self._spread * self._process.noise

    @cached_property
    def named(self) -> int:
        """The index of the final that the surface takes for the best."""
        return int(np.argmin(self._process.forecast(self._at)[0]))

    def believing(self, points: Sequence[Point]) -> "Surface":
        """The surface if these points, which are under way, ended where they are forecast. What is
        chosen next then lies elsewhere (the kriging believer, Ginsbourger et al. 2010)."""
        if not points:
            return self
        values, _ = self.forecast(points)
        believed = [
            Final(point=point, value=float(value))
            for point, value in zip(points, values, strict=True)
        ]
        return Surface(self._axes, [*self.finals, *believed], self._noise)

    def expected_improvement(self, points: Sequence[Point]) -> Array:
        """How much each point is expected to improve on the best final, shape (m,)."""
        return self._process.expected_improvement(self._axes.coordinates(points))

    def draw(self, points: Sequence[Point], number: int) -> tuple[Array, Array]:
        """Where the points may end together: draws, shape (n, points), and their weights, (n,)."""
        coordinates = self._axes.coordinates(points)
        drawn = self._process.sample(coordinates, number)
        weights = np.repeat(self._process.weights / number, number)
        return self._best + self._spread * np.expm1(drawn.reshape(-1, len(points))), weights

    def chance_of_better(self, points: Sequence[Point], promise: Array) -> float:
        """How likely it is that any of these points ends below the named one by more than noise.
        Draws are widened for what few values cannot tell (`Process.inflation`).

        Args:
            promise: Their expected improvement: that of most contend.
        """
        if not points:
            return 0.0
        likely = np.argsort(-promise, kind="stable")[:CONTENDERS]
        contenders = self._axes.coordinates([points[index] for index in likely])
        together = np.concatenate([self._at[[self.named]], contenders])
        drawn = self._process.sample(together, SAMPLES)
        middle = drawn.mean(axis=1, keepdims=True)
        drawn = middle + self._process.inflation * (drawn - middle)
        better = (drawn[:, :, 1:] < drawn[:, :, :1] - self._process.noise).any(axis=2).mean(axis=1)
        return float(self._process.weights @ better)
