"""Averages over parameters that are standard normal beforehand: importance sampling that adapts
(Cornuet, Marin, Mira and Robert 2012, Adaptive Multiple Importance Sampling).

The first round draws from the prior. Where there are several parameters, or much is known, hardly
one of these draws explains it, and an average over so few is too sure. So each further round draws
from the normal distribution that the draws so far amount to. All draws are weighted as if each came
from the mixture of all the rounds' distributions, so more rounds come nearer to the true average.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from sweeper.strategy.surface.axes import Array

DRAWS = 32  # of a round


def weighted_draws(
    log_likelihood: Callable[[Array], Array], dimensions: int, rounds: int
) -> tuple[Array, Array, float]:
    """Draws of the parameters, shape (n, dimensions), and their weights, which sum to 1: (n,). And
    the logarithm of the average likelihood.

    Args:
        log_likelihood: Of each row of such an array.
        rounds: At least 1. The same arguments give the same draws.
    """
    normals = [_Normal(np.zeros(dimensions), np.eye(dimensions))]
    draws, likelihoods, weights = np.empty((0, dimensions)), np.empty(0), np.empty(0)
    total = 0.0
    for number in range(rounds):
        if number:
            normals.append(_Normal.of(draws, weights))
        drawn = normals[-1].draw(_standard(dimensions, number))
        draws = np.concatenate([draws, drawn])
        likelihoods = np.concatenate([likelihoods, log_likelihood(drawn)])
        mixture = logsumexp([normal.log_density(draws) for normal in normals], axis=0)
        logarithms = likelihoods + normals[0].log_density(draws) - mixture
        total = float(logsumexp(logarithms))
        weights = np.exp(logarithms - total)
    return draws, weights, total - np.log(DRAWS)


@dataclass(frozen=True)
class _Normal:
    """A normal distribution."""

    mean: Array
    root: Array  # of the covariance, lower triangular

    @classmethod
    def of(cls, draws: Array, weights: Array) -> "_Normal":
        """With the mean and the covariance of the draws. As much of the prior's as one draw has is
        in the covariance: few draws tell little of their width."""
        mean = weights @ draws
        centred = draws - mean
        number = 1 / (weights**2).sum()  # that equal weights would need to tell as much (Kong 1992)
        covariance = number * (centred.T * weights) @ centred + np.eye(len(mean))
        return cls(mean, np.linalg.cholesky(covariance / (number + 1)))

    def draw(self, standard: Array) -> Array:
        return self.mean + standard @ self.root.T

    def log_density(self, at: Array) -> Array:
        """But for a constant that all have in common."""
        standard = np.linalg.solve(self.root, (at - self.mean).T)
        density: Array = -(standard**2).sum(axis=0) / 2 - np.log(np.diagonal(self.root)).sum()
        return density


@cache
def _standard(dimensions: int, number: int) -> Array:
    """Draws of the standard normal distribution, more even than random ones."""
    unit = qmc.Sobol(dimensions, rng=number).random(DRAWS)
    standard: Array = ndtri(np.clip(unit, 1e-9, 1 - 1e-9))
    return standard
