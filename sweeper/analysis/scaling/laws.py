"""The two laws together at one size, and how they do on the largest size that was swept."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.analysis.scaling.learning_rate_law import OCTAVE, LearningRateLaw
from sweeper.analysis.scaling.loss_law import LossLaw
from sweeper.analysis.scaling.priors import Exponents, Parametrisation, learning_rate_prior
from sweeper.analysis.scaling.regret import rise_of
from sweeper.analysis.scaling.size_optimum import SizeOptimum

ALIKE = math.log(1.25)  # numbers that differ by less are called the same
TWO_SIDED = 1.96  # deviations to each side hold 95 % of a normal distribution

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """At one size: the learning rate of least expected loss, where the best one lies with a chance
    of 80 and of 95 %, and the loss at the best one."""

    params: int
    tokens: int
    batch_tokens: int
    learning_rate: float
    learning_rate_80: Interval
    learning_rate_95: Interval
    regret: float  # that is expected of the learning rate, in units of the loss
    loss: float
    loss_80: Interval
    loss_95: Interval


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The largest size, as the others predict it."""

    params: int
    tokens: int
    octaves: float  # that the learning rate is too high
    loss_share: float  # by which the loss is too high
    rate_holds: bool  # what was measured lies where it should with a chance of 95 %
    loss_holds: bool

    @property
    def holds(self) -> bool:
        return self.rate_holds and self.loss_holds


class Laws:
    """Those of the learning rate and of the loss, fitted to some sizes."""

    def __init__(self, sizes: Sequence[SizeOptimum], parametrisation: Parametrisation) -> None:
        """
        Args:
            sizes: At least one.
        """
        self.sizes = sizes
        self.same_batch = are_alike(size.batch_tokens for size in sizes)
        self.prior: Exponents = learning_rate_prior(parametrisation, same_batch=self.same_batch)
        self.rate = LearningRateLaw(sizes, self.prior)
        self.loss = LossLaw(sizes)
        self.rise = rise_of(sizes)

    def at(self, params: int, tokens: int) -> Predicted:
        best, loss = self.rate.at(params, tokens), self.loss.at(params, tokens)
        taken, rise = self.rise.safest(best)
        return Predicted(
            params=params,
            tokens=tokens,
            batch_tokens=self._batch_tokens(tokens),
            learning_rate=math.exp(taken),
            learning_rate_80=_exp(best.interval(0.8)),
            learning_rate_95=_exp(best.interval(0.95)),
            regret=rise * loss.median,
            loss=loss.median,
            loss_80=loss.interval(0.8),
            loss_95=loss.interval(0.95),
        )

    def _batch_tokens(self, tokens: int) -> int:
        """As large as the sizes have them; where these grow with the tokens, so goes on."""
        batches = np.log([size.batch_tokens for size in self.sizes])
        horizons = np.log([size.tokens for size in self.sizes])
        if self.same_batch or are_alike(size.tokens for size in self.sizes):
            return self.sizes[-1].batch_tokens
        slope, level = np.polyfit(horizons, batches, 1)
        return round(math.exp(level + slope * math.log(tokens)))


def held_out(sizes: Sequence[SizeOptimum], parametrisation: Parametrisation) -> HeldOut:
    """Leave out all that the largest model was trained on, and predict its longest run."""
    largest = max(sizes, key=lambda size: (size.params, size.tokens))
    others = [size for size in sizes if size.params < largest.params]
    laws = Laws(others, parametrisation)
    told = laws.at(largest.params, largest.tokens)
    best = laws.rate.at(largest.params, largest.tokens)
    low, high = best.interval(0.95)
    unsure = math.hypot((high - low) / 2, TWO_SIDED * largest.deviation)
    return HeldOut(
        params=largest.params,
        tokens=largest.tokens,
        octaves=math.log(told.learning_rate / largest.optimum.taken) / OCTAVE,
        loss_share=told.loss / largest.loss - 1,
        rate_holds=abs(largest.log_rate - best.median) <= unsure,
        loss_holds=told.loss_95[0] <= largest.loss <= told.loss_95[1],
    )


def are_alike(numbers: Iterable[float]) -> bool:
    logs = [math.log(number) for number in numbers]
    return max(logs) - min(logs) < ALIKE


def _exp(interval: Interval) -> Interval:
    return math.exp(interval[0]), math.exp(interval[1])
