"""The loss at the best learning rate as a power law in parameters and tokens."""

from collections.abc import Sequence

import numpy as np

from sweeper.analysis.scaling.belief import Belief
from sweeper.analysis.scaling.priors import LOSS, Exponents
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from sweeper.strategy.surface.axes import Array

DEVIATIONS = np.linspace(-2.25, 2.25, 10)  # of an exponent from its prior, in spreads of that
FLOORS = (np.arange(20) + 0.5) / 20  # the loss that no size gets below, as a share of the least
NOISES = np.geomspace(3e-4, 3e-2, 8)  # of a loss, as a share of it; all are as likely
NEGLIGIBLE = 1e-5  # the weight of a node as a share of the largest


class LossLaw:
    """loss = E + A N^-a + B D^-b (https://arxiv.org/abs/2203.15556, equation 10).

    A and B are normal given the rest, around an even split of what lies above E, which is their
    deviation too. The exponents, E and the noise are averaged over a grid, by how well each node
    explains the losses. So three sizes are enough for an answer, and its interval says how much
    of it they have told.
    """

    def __init__(self, sizes: Sequence[SizeOptimum], prior: Exponents = LOSS) -> None:
        """
        Args:
            sizes: At least one.
        """
        losses = np.array([size.loss for size in sizes])
        scales = np.log([[size.params, size.tokens] for size in sizes])
        self._centre = scales.mean(axis=0)
        nodes = np.meshgrid(DEVIATIONS, DEVIATIONS, FLOORS, NOISES, indexing="ij")
        off_params, off_tokens, floor, noise = (node.ravel() for node in nodes)
        self._exponents = np.stack(
            [
                prior.params + prior.params_spread * off_params,
                prior.tokens + prior.tokens_spread * off_tokens,
            ]
        ).T
        self._floor = floor * losses.min()
        self._noise = noise * losses.mean()
        self._half = (losses.mean() - self._floor) / 2
        design = self._design(scales)
        left = losses - self._floor[:, None] - design.sum(-1) * self._half[:, None]
        covariance = self._half[:, None, None] ** 2 * (design @ design.transpose(0, 2, 1))
        covariance += self._noise[:, None, None] ** 2 * np.eye(len(sizes))
        inverse = np.linalg.inv(covariance)
        square = np.einsum("ki,kij,kj->k", left, inverse, left)
        log_weights = -(square + np.linalg.slogdet(covariance)[1]) / 2
        log_weights -= (off_params**2 + off_tokens**2) / 2
        weights = np.exp(log_weights - log_weights.max())
        self._kept = np.flatnonzero(weights > NEGLIGIBLE)
        self._weights: Array = weights[self._kept] / weights[self._kept].sum()
        self._seen, self._inverse, self._left = design, inverse, left

    def at(self, params: float, tokens: float) -> Belief:
        """The loss of that size at its best learning rate, as one run shows it."""
        kept = self._kept
        there = self._design(np.log([[params, tokens]]))[kept, 0]
        variance = self._half[kept] ** 2
        shared = variance[:, None] * np.einsum("kij,kj->ki", self._seen[kept], there)
        gain = np.einsum("ki,kij->kj", shared, self._inverse[kept])
        mean = self._floor[kept] + there.sum(-1) * self._half[kept]
        mean = mean + (gain * self._left[kept]).sum(-1)
        unsure = variance * (there**2).sum(-1) - (gain * shared).sum(-1) + self._noise[kept] ** 2
        return Belief.of_normals(mean, np.sqrt(np.maximum(unsure, 0)), self._weights)

    def _design(self, logs: Array) -> Array:
        """What A and B are multiplied by under each node: shape (nodes, sizes, 2)."""
        powers: Array = np.exp(-(logs - self._centre)[None] * self._exponents[:, None])
        return powers
