"""A Gaussian process over coordinates, averaged over what its kernel may be.

There is no optimiser in it: the lengths of the kernel and the share of noise are averaged over a
fixed set of draws from their priors, each weighted by how well it explains the values (Rasmussen
and Williams, Gaussian Processes for Machine Learning, chapters 2 and 5.2; the variance of the
signal is integrated out, as in O'Hagan 1978). So the same values give the same process, few values
give a wide one, and none is ever fitted badly.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from sweeper.strategy.surface.axes import Array

DRAWS = 32  # 16 and 256 name the same points
LENGTH, LENGTH_SPREAD = 1.0, 0.5  # of the kernel in units of the axes: median, deviation of its log
NOISE, NOISE_SPREAD = 3e-3, 1.5  # its variance as a share of the signal's: the same
MISFIT = 3e-4  # that share where the noise is measured: what is left is no noise
TREND = 1.0  # the prior variance of level, slope and bend, as a share of the signal's
SHAPE, RATE = 1.0, 1.0  # of the prior of the variance of the signal, in units of the values' own
NEGLIGIBLE = 1e-3  # the weight of a kernel as a share of the largest
JITTER = 1e-8


class Process:
    """What values at some coordinates say about all others."""

    def __init__(
        self, at: Array, values: Array, variances: Array | None = None, noise: float = NOISE
    ) -> None:
        """
        Args:
            at: Shape (n, dimensions), n >= 1.
            values: Shape (n,).
            variances: Shape (n,): how uncertain each value is by itself, beside the noise that all
                have. None: not at all.
            noise: The median of the prior of its share.
        """
        self._at = at - (centre := at.mean(0))
        self._centre = centre
        self._level, self._scale = float(values.mean()), float(values.std()) or 1.0
        self._lengths, spreads = _prior(at.shape[1])
        share = noise * spreads
        own = np.zeros(len(values)) if variances is None else variances / self._scale**2
        spread = share[:, None] + own + JITTER
        kernel = self._covariance(self._at, self._at) + spread[:, :, None] * np.eye(len(values))
        self._inverse = np.linalg.inv(kernel)
        self._pull = self._inverse @ ((values - self._level) / self._scale)
        # The signal's variance has the prior 1 / InverseGamma(SHAPE, RATE).
        shape = SHAPE + len(values) / 2
        rate = RATE + self._pull @ ((values - self._level) / self._scale) / 2
        self._variance = rate / (shape - 1)  # of Student's t with 2 shape degrees of freedom
        log_weights = -shape * np.log(rate) - np.linalg.slogdet(kernel)[1] / 2
        weights = np.exp(log_weights - log_weights.max())
        # Of many values a few kernels are left; what the others would say is not worked out.
        self.kept = kept = np.flatnonzero(weights > NEGLIGIBLE)
        self.weights: Array = weights[kept] / weights[kept].sum()
        self._lengths, self._variance = self._lengths[kept], self._variance[kept]
        self._inverse, self._pull = self._inverse[kept], self._pull[kept]
        noise = self.weights @ (share[kept] * self._variance)
        self.noise = self._scale * float(np.sqrt(noise))  # the deviation of a value by noise alone

    def each(self, at: Array) -> tuple[Array, Array]:
        """The mean and the variance there under each of the kernels, apart from noise: two arrays
        of shape (kernels, m)."""
        at = at - self._centre
        kernel = self._covariance(at, self._at)
        mean = self._level + self._scale * np.einsum("jmn,jn->jm", kernel, self._pull)
        known = ((kernel @ self._inverse) * kernel).sum(-1)
        square = (at * at).sum(1)
        left = np.maximum(1 + TREND * (1 + square + square**2 / 2) - known, JITTER)
        return mean, self._scale**2 * self._variance[:, None] * left

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
        precision = np.diagonal(self._inverse, axis1=1, axis2=2)
        squares = self._pull**2 / precision / self._variance[:, None]
        surprise = float(self.weights @ squares.mean(axis=1))
        return float(np.sqrt(number / (number - 2) * max(1.0, surprise)))

    def sample(self, at: Array, number: int) -> Array:
        """Draws of the values there together, apart from noise: shape (kernels, number, m). The
        same process and coordinates give the same draws."""
        mean, _ = self.each(at)
        at = at - self._centre
        known = self._covariance(at, self._at)
        prior = self._covariance(at, at)
        left = prior - known @ self._inverse @ known.transpose(0, 2, 1)
        root = np.linalg.cholesky(left + 1e-6 * np.eye(len(at)))
        normal = np.random.default_rng(0).standard_normal((len(root), number, len(at)))
        scale = self._scale * np.sqrt(self._variance)[:, None, None]
        return mean[:, None, :] + scale * (normal @ root.transpose(0, 2, 1))

    def _covariance(self, a: Array, b: Array) -> Array:
        """Under each kernel, shape (kernels, m, n), as a share of the signal's variance: Matérn's
        with 5/2 (equation 4.17), which is not as sure between two values as an infinitely smooth
        one, and a trend of second degree that goes on beyond the values."""
        square = (a[:, None, :] - b[None, :, :]) ** 2
        distance = np.sqrt(5 * np.tensordot(1 / self._lengths**2, square, axes=(1, 2)))
        smooth = (1 + distance + distance**2 / 3) * np.exp(-distance)
        product = a @ b.T
        covariance: Array = smooth + TREND * (1 + product + product**2 / 2)
        return covariance


@cache
def _prior(dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draws of the lengths, shape (kernels, dimensions), and of the noise's share in units of its
    median."""
    unit = qmc.Sobol(dimensions + 1, rng=0).random(DRAWS)
    normal = ndtri(np.clip(unit, 1e-9, 1 - 1e-9))
    lengths = LENGTH * np.exp(LENGTH_SPREAD * normal[:, :dimensions])
    return lengths, np.exp(NOISE_SPREAD * normal[:, dimensions])


def expected_improvement(best: Array, mean: Array, variance: Array) -> Array:
    """By how much a value lies below `best` on average, counting none where it lies above (Jones,
    Schonlau and Welch 1998, equation 15)."""
    deviation = np.sqrt(variance)
    z = (best - mean) / deviation
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    improvement: Array = deviation * (z * ndtr(z) + density)
    return improvement
