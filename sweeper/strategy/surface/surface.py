"""Where the points of a space will end: what has completed, what is forecast, and what has not run.

Values are compared after `log(1 + gap / spread)`, the gap to the best so far in units of the median
gap: a loss near the best then counts as it is, and one that is far off, or diverged, does not bend
the surface where it matters. How far off that is, a thorough surface asks the values: of several
spreads it takes the one with which they are most likely (Box and Cox 1964; Snelson, Rasmussen and
Ghahramani 2003).

Noise is taken to be the same at all points. After that transform T it is not: its variance is
T'^2 times as much (the delta method), so it is largest near the best. What the surface leaves over
besides, which is no noise, is taken to be the same everywhere after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from sweeper.spec.points import Point
from sweeper.strategy.surface.axes import Array, Axes
from sweeper.strategy.surface.process import MISFIT, NOISE, Process

CONTENDERS = 64  # whose chances are worked out together
SAMPLES = 32  # of each kernel
# Of a thorough surface, in units of the median gap: of the last one hardly any loss is far off.
SPREADS = (1.0, 4.0, 16.0)
ROUNDS = 4  # of draws of the kernel


@dataclass(frozen=True, kw_only=True)
class Final:
    """Where a point ends, less being better; `deviation` is 0 where it has ended."""

    point: Point
    value: float
    deviation: float = 0.0


class Surface:
    """The finals of some points, and what they say about others."""

    def __init__(
        self,
        axes: Axes,
        finals: Sequence[Final],
        *,
        measured: bool = False,
        thorough: bool = False,
    ) -> None:
        """
        Args:
            finals: At least one; their values are finite.
            measured: Whether the noise is in the finals' own deviations; else it is estimated.
            thorough: Ten times slower, and not too sure of where the best lies. What names the same
                points without, as searches do, does without.
        """
        self._axes, self._measured, self._thorough = axes, measured, thorough
        self.finals = list(finals)
        self._at = axes.coordinates([final.point for final in finals])
        values = np.array([final.value for final in finals])
        self._best = float(values.min())
        gap = values - self._best
        unit = float(np.median(gap)) or float(np.ptp(values)) or 1.0
        found = []
        for spread in unit * np.array(SPREADS if thorough else SPREADS[:1]):
            fitted = self._fitted(gap, float(spread))
            # The likelihood is that of the values before the transform, whose slope this is.
            likely = fitted.evidence - np.log(spread + gap).sum()
            found.append((likely, float(spread), fitted))
        _, self.spread, self._process = max(found, key=itemgetter(0))

    def _fitted(self, gap: Array, spread: float) -> Process:
        deviations = np.array([final.deviation for final in self.finals])
        noise = 0.0 if self._measured else NOISE / (1 + gap / spread) ** 2
        return Process(
            self._at,
            np.log1p(gap / spread),
            (deviations / (spread + gap)) ** 2,
            self._axes.bends,
            noise + MISFIT,
            ROUNDS if self._thorough else 1,
        )

    def forecast(self, points: Sequence[Point]) -> tuple[Array, Array]:
        """Where these points end: the median and the deviation, shape (m,) each."""
        mean, deviation = self._process.forecast(self._axes.coordinates(points))
        gap = np.expm1(mean)
        return self._best + self.spread * gap, self.spread * (1 + gap) * deviation

    @property
    def noise(self) -> float:
        """The deviation of an end near the best by noise alone."""
        return self.spread * self._process.noise

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
        return Surface(
            self._axes,
            [*self.finals, *believed],
            measured=self._measured,
            thorough=self._thorough,
        )

    def expected_improvement(self, points: Sequence[Point]) -> Array:
        """How much each point is expected to improve on the best final, shape (m,)."""
        return self._process.expected_improvement(self._axes.coordinates(points))

    def draw(self, points: Sequence[Point], number: int) -> tuple[Array, Array]:
        """Where the points may end together: draws, shape (n, points), and their weights, (n,)."""
        coordinates = self._axes.coordinates(points)
        drawn = self._process.sample(coordinates, number)
        weights = np.repeat(self._process.weights / number, number)
        return self._best + self.spread * np.expm1(drawn.reshape(-1, len(points))), weights

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
