"""The bar to beat: a plain Gaussian process over the settings, which stops nothing and does not
start what cannot win."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sweeper.analysis.backtest.judging import Truth
from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Draw, Outcome, full_runs
from sweeper.analysis.backtest.strategies import Play, Strategy, affordable

Array = NDArray[np.float64]
SCALES = (0.15, 0.25, 0.4, 0.7, 1.2)  # of the kernel along an axis from 0 to 1
FIRST = 3  # points at random
FLOOR = 1e3  # stands for a diverged run until one has come to its end


def coordinates(recording: Recording) -> Array:
    """The settings between 0 and 1 on each axis: the logarithm of what is above 0 everywhere, the
    place in the list of what is not."""
    columns = []
    for name in recording.spec.space:
        values = [point[name] for point in recording.settings]
        if all(isinstance(v, int | float) and v > 0 for v in values):
            column = np.log([float(v) for v in values if isinstance(v, int | float)])
        else:
            listed = sorted(set(values), key=lambda v: (not isinstance(v, int | float), v))
            column = np.array([float(listed.index(v)) for v in values])
        columns.append((column - column.min()) / (np.ptp(column) or 1.0))
    return np.stack(columns, axis=1)


class PlainProcess:
    """A Gaussian process with an RBF kernel over the settings and the seeds' noise, which is known
    to it; its scales are the likeliest. Next is the point of most expected improvement."""

    def __init__(self, recording: Recording) -> None:
        x = coordinates(recording)
        squares = (x[:, None] - x[None]) ** 2
        scales = np.array(np.meshgrid(*[SCALES] * x.shape[1])).reshape(x.shape[1], -1).T
        self.kernels = np.exp(-0.5 * np.einsum("ijd,sd->sij", squares, 1 / scales**2))
        self.noise = Truth(recording).deviation or 0.0

    def posterior(self, run: Sequence[int], scores: Sequence[float]) -> tuple[Array, Array]:
        """The mean and the deviation of every setting."""
        y = np.array(scores)
        y = np.where(np.isfinite(y), y, y[np.isfinite(y)].max(initial=1.0))
        centre, spread = y.mean(), y.std() or 1.0
        y = (y - centre) / spread
        inner = self.kernels[:, run][:, :, run] + np.eye(len(run)) * (
            (self.noise / spread) ** 2 + 1e-6
        )
        lower = np.linalg.cholesky(inner)
        white = np.linalg.solve(lower, np.broadcast_to(y[:, None], (len(lower), len(run), 1)))
        fit = 0.5 * (white**2).sum((1, 2)) + np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
        best = int(fit.argmin())
        across = np.linalg.solve(lower[best], self.kernels[best][run])
        mean = across.T @ white[best][:, 0]
        deviation = np.sqrt(np.maximum(1 - (across**2).sum(0), 1e-12))
        return centre + spread * mean, spread * deviation

    def runs(self, field: Field, draw: Draw) -> Iterator[tuple[list[int], int]]:
        """The settings run so far, and the one that is named by then; one more each time."""
        run, scores = list[int](), list[float]()
        following: int | None = None
        while len(run) < len(field.curves):
            run.append(draw.order[len(run)] if following is None else following)
            scores.append(field.score(run[-1]))
            mean, deviation = self.posterior(run, scores)
            yield list(run), run[int(mean[run].argmin())]
            if len(run) >= FIRST:
                gain = expected_improvement(mean, deviation, float(mean[run].min()))
                gain[run] = -1.0
                following = int(gain.argmax())


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in z]))
    return deviation * (z * below + density)


def whole_runs(
    name: str,
    runs: Callable[[Field, Draw], Iterator[tuple[list[int], int]]],
    budgets: Sequence[float],
) -> list[Strategy]:
    """A strategy for each budget, of which the dearest is computed and the others are its
    beginnings."""
    known: dict[tuple[int, int], list[tuple[list[int], int]]] = {}

    def play(budget: float) -> Play:
        def played(field: Field, draw: Draw) -> Outcome:
            key = id(field), draw.number
            if key not in known:
                most = max(budgets) * field.whole
                found = known[key] = []
                for settings, named in runs(field, draw):
                    found.append((settings, named))
                    if sum(map(field.tokens_of, settings)) > most:
                        break
            number = affordable(field, known[key][-1][0], budget)
            return full_runs(field, draw, *known[key][number - 1])

        return played

    return [Strategy(name=name, play=play(budget), budget=budget) for budget in budgets]


def plain_process(recording: Recording, budgets: Sequence[float]) -> list[Strategy]:
    return whole_runs("plain process", PlainProcess(recording).runs, budgets)
