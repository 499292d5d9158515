"""A Gaussian process over coordinates, averaged over what its kernel may be.

There is no optimiser in it: the lengths of the kernel and the share of noise are averaged over
draws of what they may be, and the deviation of the signal over a grid, each weighted by how well it
explains the values (Rasmussen and Williams, Gaussian Processes for Machine Learning, chapters 2 and
5.2). So the same values give the same process, few values give a wide one, and none is ever fitted
badly.
"""

import math

import numpy as np
from scipy.special import logsumexp, ndtr

from sweeper.strategy.surface.axes import Array
from sweeper.strategy.surface.integration import weighted_draws

LENGTH, LENGTH_SPREAD = 1.0, 0.5  # of the kernel in units of the axes: median, deviation of its log
NOISE, NOISE_SPREAD = 3e-3, 1.5  # its variance as a share of the signal's: the same
MISFIT = 3e-4  # that share where the noise is measured: what is left is no noise
TREND = 1.0  # the prior variance of level, slope and bend, as a share of the signal's
# The same of a slope where a valley is expected: its bottom may lie beyond what was tried.
SLOPE = 4.0
# What the deviation of the signal may be, in units of the values' own, evenly on a log scale; the
# prior of its variance is 1 / Gamma(1, 1).
SIGNALS = np.geomspace(0.05, 20, 48)
LOG_PRIOR = -2 * np.log(SIGNALS) - 1 / SIGNALS**2
NEGLIGIBLE = 1e-3  # the weight of a kernel as a share of the largest
JITTER = 1e-8


class Process:
    """What values at some coordinates say about all others."""

    def __init__(
        self,
        at: Array,
        values: Array,
        variances: Array | None = None,
        bends: Array | None = None,
        noise: float | Array = NOISE,
        rounds: int = 1,
    ) -> None:
        """
        Args:
            at: Shape (n, dimensions), n >= 1.
            values: Shape (n,).
            variances: Shape (n,): how uncertain each value is by itself, beside the noise that all
                have. None: not at all.
            bends: Shape (dimensions,): the second derivative that is expected along each dimension,
                in units of the signal's deviation. None: as likely upwards as downwards.
            noise: The median of the prior of its share: at all values, or at each.
            rounds: Of draws of the kernel (`weighted_draws`). One names the same points as many,
                and is too sure of where the best lies.
        """
        self._centre = at.mean(0)
        self._at = at - self._centre
        self._bends = np.zeros(at.shape[1]) if bends is None else bends
        self._slope = TREND if bends is None else SLOPE
        self._level, self._scale = float(values.mean()), float(values.std()) or 1.0
        self._values = (values - self._level) / self._scale
        self._shares = np.broadcast_to(noise, len(values))
        self._own = np.zeros(len(values)) if variances is None else variances / self._scale**2
        found = list[tuple[Array, Array, Array]]()  # of each round

        def log_likelihood(draws: Array) -> Array:
            found.append(self._explained(self._kernel(draws)))
            evidence: Array = logsumexp(found[-1][2], axis=1)
            return evidence

        draws, weights, evidence = weighted_draws(log_likelihood, at.shape[1] + 1, rounds)
        # How likely the values are, whatever the kernel: the logarithm, but for a constant.
        self.evidence = evidence - len(values) * math.log(self._scale)
        # Of many values a few kernels are left; what the others would say is not worked out.
        kept = weights > NEGLIGIBLE * weights.max()
        self.draws, self.weights = draws[kept], weights[kept] / weights[kept].sum()
        pull, sag, log_weights = (np.concatenate(parts)[kept] for parts in zip(*found, strict=True))
        self._pull, self._sag = pull, sag
        # Of the inverse R'R: a kernel with hardly any noise is nearly singular, and what is left of
        # the variance by its inverse itself may come out negative.
        self._root = np.linalg.inv(np.linalg.cholesky(self._kernel(self.draws)))
        self._lengths, spreads = lengths_and_spreads(self.draws)
        self._signals = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
        self._signal, self._variance = self._signals @ SIGNALS, self._signals @ SIGNALS**2
        noise_variance = self._shares.max() * self.weights @ (spreads * self._variance)
        self.noise = self._scale * float(np.sqrt(noise_variance))  # of a value, where it is most

    def _kernel(self, draws: Array) -> Array:
        """The covariance of the known values, noise included, with each of the kernels that were
        drawn: shape (kernels, n, n), as a share of the signal's variance."""
        lengths, spreads = lengths_and_spreads(draws)
        spread = spreads[:, None] * self._shares + self._own + JITTER
        kernel = _covariance(self._at, self._at, lengths, self._slope)
        each = np.arange(len(self._at))
        kernel[:, each, each] += spread
        return kernel

    def _explained(self, kernel: Array) -> tuple[Array, Array, Array]:
        """How the values, and the expected valley, pull at others with each of the kernels: shape
        (kernels, n) each. And how likely the values are with each kernel and each deviation s of
        the signal (equation 2.30), times the prior of that: the logarithm. They lie around s valley
        with the covariance s^2 kernel."""
        values, valley = self._values, self._valley(self._at)
        both = np.linalg.solve(kernel, np.stack([values, valley], axis=1))
        pull, sag = both[..., 0].astype(np.float64), both[..., 1].astype(np.float64)
        square = (
            (pull @ values)[:, None] / SIGNALS**2
            - 2 * (pull @ valley)[:, None] / SIGNALS
            + (sag @ valley)[:, None]
        )
        log_weights: Array = LOG_PRIOR - len(values) * np.log(SIGNALS) - square / 2
        log_weights -= np.linalg.slogdet(kernel)[1][:, None] / 2
        return pull, sag, log_weights

    def each(self, at: Array) -> tuple[Array, Array]:
        """The mean and the variance there under each of the kernels, apart from noise: two arrays
        of shape (kernels, m)."""
        at = at - self._centre
        kernel = self._to(at, self._at)
        pulled, sagged = self._means(at, kernel)
        mean = self._level + self._scale * (pulled + self._signal[:, None] * sagged)
        unsure = (self._variance - self._signal**2)[:, None] * sagged**2  # of the signal
        variance = self._variance[:, None] * self._left(at, kernel) + unsure
        return mean, self._scale**2 * variance

    def expected_improvement(self, at: Array) -> Array:
        """By how much each of these lies below the least of the known ones on average, apart from
        noise: shape (m,). It is averaged over what the signal's deviation may be: as long as that
        is hardly known, a point far up in the expected valley is so with every deviation, which
        the moments of all together do not tell."""
        at = at - self._centre
        kernel = self._to(at, self._at)
        known = self._means(self._at, self._to(self._at, self._at))
        weights = self.weights[:, None] * self._signals
        of, nth = np.nonzero(weights > NEGLIGIBLE * weights.max())
        signal = SIGNALS[nth, None]
        best, mean = (
            pulled[of] + signal * sagged[of] for pulled, sagged in (known, self._means(at, kernel))
        )
        variance = signal**2 * self._left(at, kernel)[of]
        improvement = expected_improvement(best.min(axis=1, keepdims=True), mean, variance)
        expected: Array = self._scale * (weights[of, nth] @ improvement)
        return expected

    def forecast(self, at: Array) -> tuple[Array, Array]:
        """The mean and the deviation there, apart from noise: two arrays of shape (m,)."""
        means, variances = self.each(at)
        mean = self.weights @ means
        return mean, np.sqrt(self.weights @ (variances + (means - mean) ** 2))

    @property
    def inflation(self) -> float:
        """The factor by which deviations are to be widened for what the kernels do not know: that
        of Student's t with as many degrees of freedom as there are values; more where the values,
        each forecast by the others, err by more than they should (their errors: Rasmussen and
        Williams, equations 5.10 to 5.12). 1 for fewer than three values."""
        number = len(self._at)
        if number < 3:
            return 1.0
        precision = (self._root**2).sum(axis=1)
        pull = self._pull - self._signal[:, None] * self._sag
        squares = pull**2 / precision / self._variance[:, None]
        surprise = float(self.weights @ squares.mean(axis=1))
        return float(np.sqrt(number / (number - 2) * max(1.0, surprise)))

    def sample(self, at: Array, number: int) -> Array:
        """Draws of the values there together, apart from noise: shape (kernels, number, m). The
        same process and coordinates give the same draws."""
        at = at - self._centre
        known = self._to(at, self._at)
        told = known @ self._root.transpose(0, 2, 1)
        left = self._to(at, at) - told @ told.transpose(0, 2, 1)
        root = np.linalg.cholesky(left + 1e-6 * np.eye(len(at)))
        normal = np.random.default_rng(0).standard_normal((len(root), number, len(at)))
        pulled, sagged = self._means(at, known)
        # Each draw has a deviation of the signal of its own, evenly over its distribution.
        middles = (np.arange(number) + 0.5) / number
        cumulated = np.cumsum(self._signals, axis=1)
        signal = SIGNALS[(cumulated[:, :, None] < middles).sum(axis=1).clip(max=len(SIGNALS) - 1)]
        around = sagged[:, None, :] + normal @ root.transpose(0, 2, 1)
        drawn: Array = pulled[:, None, :] + signal[:, :, None] * around
        return self._level + self._scale * drawn

    def _left(self, at: Array, kernel: Array) -> Array:
        """The variance that is left under each kernel, as a share of the signal's."""
        known = ((kernel @ self._root.transpose(0, 2, 1)) ** 2).sum(-1)
        square = (at * at).sum(1)
        trend = TREND * (1 + square**2 / 2) + self._slope * square
        left: Array = np.maximum(1 + trend - known, JITTER)
        return left

    def _means(self, at: Array, kernel: Array) -> tuple[Array, Array]:
        """Under each kernel the mean there is the first plus the signal's deviation times the
        second: what the values say, and what the expected valley adds where they say little."""
        pulled = np.einsum("jmn,jn->jm", kernel, self._pull)
        return pulled, self._valley(at) - np.einsum("jmn,jn->jm", kernel, self._sag)

    def _valley(self, at: Array) -> Array:
        """The expected bend, integrated twice: shape (m,)."""
        valley: Array = (at * at) @ self._bends / 2
        return valley

    def _to(self, a: Array, b: Array) -> Array:
        return _covariance(a, b, self._lengths, self._slope)


def _covariance(a: Array, b: Array, lengths: Array, slope: float) -> Array:
    """With each kernel, shape (kernels, m, n), as a share of the signal's variance: Matérn's with
    5/2 (equation 4.17), which is not as sure between two values as an infinitely smooth one, and a
    trend of second degree that goes on beyond the values."""
    square = (a[:, None, :] - b[None, :, :]) ** 2
    distance = np.sqrt(5 * np.tensordot(1 / lengths**2, square, axes=(1, 2)))
    smooth = (1 + distance + distance**2 / 3) * np.exp(-distance)
    product = a @ b.T
    trend = TREND * (1 + product**2 / 2) + slope * product
    covariance: Array = smooth + trend
    return covariance


def lengths_and_spreads(draws: Array) -> tuple[Array, Array]:
    """Of standard normal draws, shape (kernels, dimensions + 1): the lengths of each kernel, shape
    (kernels, dimensions), and its share of noise in units of the median."""
    return LENGTH * np.exp(LENGTH_SPREAD * draws[:, :-1]), np.exp(NOISE_SPREAD * draws[:, -1])


def expected_improvement(best: Array, mean: Array, variance: Array) -> Array:
    """By how much a value lies below `best` on average, counting none where it lies above (Jones,
    Schonlau and Welch 1998, equation 15)."""
    deviation = np.sqrt(variance)
    z = (best - mean) / deviation
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    improvement: Array = deviation * (z * ndtr(z) + density)
    return improvement
