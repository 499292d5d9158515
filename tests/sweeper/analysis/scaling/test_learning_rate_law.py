"""The law's intervals hold the best learning rate of a larger size as often as they say, where
truths are drawn from what it assumes, and where they are not."""

import math

import numpy as np
import pytest

from sweeper.analysis.scaling.learning_rate_law import OCTAVE, LearningRateLaw
from sweeper.analysis.scaling.priors import (
    OF_PARAMS,
    SAME_BATCH,
    SPREAD,
    TUNED_BATCH,
    Parametrisation,
    learning_rate_prior,
)
from sweeper.analysis.scaling.proposing import BATCH_EXPONENT
from sweeper.analysis.scaling.size_optimum import SizeOptimum
from tests.sweeper.analysis.scaling.truths import size

SIZES = [(5e4, 1e6), (1e5, 2e6), (2e5, 4e6), (4e5, 8e6), (1e5, 8e6)]
LARGE = (4e6, 8e7)


def drawn(number: int, scatter: float, spread: float) -> tuple[list[SizeOptimum], float]:
    """Sizes of a law whose exponents lie so far from Step Law's, and the best of a large one."""
    rng = np.random.default_rng(number)
    level, off_params, off_tokens = rng.normal(-7, 1), *rng.normal(0, spread, 2)

    def best(params: float, tokens: float) -> float:
        return float(
            level
            + (TUNED_BATCH.params + off_params) * math.log(params / 1e5)
            + (TUNED_BATCH.tokens + off_tokens) * math.log(tokens / 1e6)
            + rng.normal(0, scatter)
        )

    said = 0.25 * OCTAVE
    sizes = [size(n, d, best(n, d) + rng.normal(0, 0.75 * said), deviation=said) for n, d in SIZES]
    return sizes, best(*LARGE)


@pytest.mark.parametrize("scatter", [0.05 * OCTAVE, 0.25 * OCTAVE])
def test_its_intervals_hold_the_best_as_often_as_they_say(scatter: float) -> None:
    held = []
    for number in range(400):
        sizes, truth = drawn(number, scatter, SPREAD)
        told = LearningRateLaw(sizes, TUNED_BATCH).at(*LARGE)
        held.append([low <= truth <= high for low, high in map(told.interval, (0.8, 0.95))])
    in_80, in_95 = np.mean(held, axis=0)
    assert 0.75 <= in_80 <= 0.92
    assert 0.92 <= in_95 <= 1.0


def test_many_sizes_overrule_the_prior() -> None:
    def best(params: float, tokens: float) -> float:
        return -6 + 0.1 * math.log(params) - 0.2 * math.log(tokens)

    grid = [(n, d) for n in (1e4, 1e5, 1e6, 1e7) for d in (1e6, 1e7, 1e8)]
    sizes = [size(n, d, best(n, d), deviation=0.05 * OCTAVE) for n, d in grid]
    law = LearningRateLaw(sizes, TUNED_BATCH)
    assert law.exponents == pytest.approx((0.1, -0.2), abs=0.05)
    assert law.at(1e8, 1e9).median == pytest.approx(best(1e8, 1e9), abs=0.2)


def test_what_the_sizes_do_not_tell_stays_as_the_prior_has_it() -> None:
    sizes = [size(n, 1e6, -7 - 0.713 * math.log(n / 1e5)) for n in (5e4, 1e5, 2e5)]
    law = LearningRateLaw(sizes, TUNED_BATCH)
    assert law.exponents[1] == pytest.approx(TUNED_BATCH.tokens), "all have as many tokens"
    near, far = law.at(1e5, 1e6), law.at(1e5, 1e8)
    width = [high - low for low, high in (near.interval(0.8), far.interval(0.8))]
    spread = 2 * 1.2816 * SPREAD * math.log(100)
    assert width[1] > width[0] and width[1] == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize(
    ("parametrisation", "same_batch", "exponents"),
    [
        ("standard", False, (-0.713, 0.307)),
        ("standard", True, (-0.47, -0.32)),
        ("mup", False, (0.0, 0.307)),
        ("completep", True, (0.0, SAME_BATCH.tokens)),
    ],
)
def test_the_prior_goes_by_parametrisation_and_batches(
    parametrisation: Parametrisation, same_batch: bool, exponents: tuple[float, float]
) -> None:
    prior = learning_rate_prior(parametrisation, same_batch=same_batch)
    assert (prior.params, prior.tokens) == exponents


def test_its_spread_is_that_of_the_sources() -> None:
    along = [TUNED_BATCH.params + TUNED_BATCH.tokens, OF_PARAMS[1] + SAME_BATCH.tokens]
    assert float(np.std([*along, -0.36, -0.25], ddof=1)) == pytest.approx(SPREAD, abs=0.001)


def test_at_like_batches_what_the_sources_make_of_tokens_that_grow_lies_in_its_spread() -> None:
    """Bjorck et al., and Step Law if the best rate goes with the batch or with its root."""
    prior = learning_rate_prior("standard", same_batch=True)
    measured = OF_PARAMS[1] + prior.tokens
    by_batch = [OF_PARAMS[0] + TUNED_BATCH.tokens - BATCH_EXPONENT * k for k in (0.5, 1)]
    spread = math.hypot(prior.params_spread, prior.tokens_spread)
    along = prior.params + prior.tokens
    assert min(by_batch) < along < measured
    assert all(abs(exponent - along) < spread for exponent in (measured, *by_batch))
    assert (f"{along:.2f}", f"{spread:.2f}") == ("-0.79", "0.36"), "as docs/transfer.md says"


@pytest.mark.parametrize("exponent", [-0.713, -0.23])
def test_at_like_batches_the_sizes_decide_which_source_is_right(exponent: float) -> None:
    sizes = [
        size(n, 1e6, -7 + exponent * math.log(n / 1e5), deviation=0.1 * OCTAVE)
        for n in (5e4, 1e5, 2e5, 4e5)
    ]
    law = LearningRateLaw(sizes, SAME_BATCH)
    assert law.exponents[0] == pytest.approx(exponent, abs=0.08)
