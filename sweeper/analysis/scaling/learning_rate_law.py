"""The best learning rate as a power law in parameters and tokens."""

import math
from collections.abc import Sequence

import numpy as np

from sweeper.analysis.scaling.belief import Belief
from sweeper.analysis.scaling.priors import Exponents
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.strategy.surface.axes import Array

OCTAVE = math.log(2)
LEVEL_SPREAD = 10.0  # of the logarithm's level: nothing is known of it
# By how much a size lies off the law, beside what its own interval says. Its prior is a half normal
# distribution of this deviation, a quarter octave: assumed, not measured.
SCATTERS = np.linspace(0.02, 1.0, 15) * OCTAVE
SCATTER_PRIOR = OCTAVE / 4
# The intervals of optima hold the best more often than they say (docs/answer.md: 97 to 99 times in
# 100 instead of 95), which is what deviations of 0.9 to 0.75 would say. So a factor on all of
# them is averaged over as well: its prior is log-normal.
FACTOR, FACTOR_SPREAD = 0.75, 0.3
FACTORS = FACTOR * np.exp(FACTOR_SPREAD * np.linspace(-2, 2, 5))


class LearningRateLaw:
    """log lr = level + a log N + b log D, with a and b normal around what others have found.

    Given the scatter and the factor this is a linear regression with a normal prior (Rasmussen and
    Williams, Gaussian Processes for Machine Learning, chapter 2.1); these two are averaged over, by
    how well they explain the optima. Assumes that the errors of the sizes' optima are independent
    and normal.
    """

    def __init__(self, sizes: Sequence[SizeOptimum], prior: Exponents) -> None:
        """
        Args:
            sizes: At least one.
        """
        logs = np.log([[size.params, size.tokens] for size in sizes])
        self._centre = logs.mean(axis=0)
        design = np.hstack([np.ones((len(sizes), 1)), logs - self._centre])
        rates = np.array([size.log_rate for size in sizes])
        own = np.array([size.deviation for size in sizes])
        known = np.diag([LEVEL_SPREAD, prior.params_spread, prior.tokens_spread]) ** 2
        mean = np.array([rates.mean(), prior.params, prior.tokens])
        factor, scatter = (node.ravel() for node in np.meshgrid(FACTORS, SCATTERS))
        variances = (factor[:, None] * own) ** 2 + scatter[:, None] ** 2
        covariance = design @ known @ design.T + variances[:, :, None] * np.eye(len(sizes))
        inverse = np.linalg.inv(covariance)
        left = rates - design @ mean
        gain = known @ design.T @ inverse
        self._means = mean + gain @ left
        self._covariances = known - gain @ design @ known
        self._scatter = scatter
        log_weights = -(inverse @ left @ left + np.linalg.slogdet(covariance)[1]) / 2
        log_weights -= (scatter / SCATTER_PRIOR) ** 2 / 2
        log_weights -= (np.log(factor / FACTOR) / FACTOR_SPREAD) ** 2 / 2
        weights = np.exp(log_weights - log_weights.max())
        self._weights: Array = weights / weights.sum()

    @property
    def exponents(self) -> tuple[float, float]:
        """Of parameters and of tokens, as the sizes and the prior have them together."""
        mean = self._weights @ self._means
        return float(mean[1]), float(mean[2])

    def at(self, params: float, tokens: float) -> Belief:
        """The logarithm of the best learning rate of that size, its own scatter included."""
        there = np.append(1.0, np.log([params, tokens]) - self._centre)
        variances = there @ self._covariances @ there + self._scatter**2
        return Belief.of_normals(self._means @ there, np.sqrt(variances), self._weights)
