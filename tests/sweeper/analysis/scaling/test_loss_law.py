"""The law of the loss on laws of known exponents."""

from collections.abc import Callable

import numpy as np
import pytest

from sweeper.analysis.scaling.loss_law import LossLaw
from tests.sweeper.analysis.scaling.truths import size

SIZES = [(5e4, 1e6), (1e5, 2e6), (2e5, 4e6), (4e5, 8e6), (1e5, 8e6)]
LARGE = (2e6, 4e7)


def drawn(number: int) -> Callable[[float, float], float]:
    """The loss of one run under a law whose exponents lie as far off as others' do."""
    rng = np.random.default_rng(number)
    floor, of_params, of_tokens = rng.uniform(0.4, 2.0), *rng.uniform(0.3, 1.5, 2)
    a, b = rng.normal(0.35, 0.1), rng.normal(0.37, 0.1)

    def loss(params: float, tokens: float) -> float:
        above = of_params * (params / 1e5) ** -a + of_tokens * (tokens / 2e6) ** -b
        return float((floor + above) * (1 + rng.normal(0, 0.003)))

    return loss


def test_its_intervals_hold_the_loss_as_often_as_they_say() -> None:
    held, errors = [], []
    for number in range(80):
        loss = drawn(number)
        law = LossLaw([size(n, d, -7, loss=loss(n, d)) for n, d in SIZES])
        told, truth = law.at(*LARGE), loss(*LARGE)
        held.append([low <= truth <= high for low, high in map(told.interval, (0.8, 0.95))])
        errors.append(abs(told.median / truth - 1))
    in_80, in_95 = np.mean(held, axis=0)
    assert 0.7 <= in_80 <= 0.93
    assert in_95 >= 0.9
    assert np.median(errors) < 0.04, "five times the parameters of the largest"


def test_three_sizes_are_enough_for_a_wide_answer_that_more_make_narrow() -> None:
    def loss(params: float, tokens: float) -> float:
        return float(1.5 + 0.8 * (params / 1e5) ** -0.35 + 0.6 * (tokens / 2e6) ** -0.37)

    widths = []
    for sizes in (SIZES[:3], [(n, d) for n in (3e4, 1e5, 3e5, 9e5) for d in (1e6, 4e6, 1.6e7)]):
        told = LossLaw([size(n, d, -7, loss=loss(n, d)) for n, d in sizes]).at(*LARGE)
        low, high = told.interval(0.95)
        assert low <= loss(*LARGE) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_a_loss_of_other_units_is_as_good() -> None:
    losses = [2.6, 2.4, 2.25, 2.12, 2.2]
    one, other = (
        LossLaw([size(n, d, -7, loss=k * x) for (n, d), x in zip(SIZES, losses, strict=True)])
        for k in (1, 1.44)
    )
    assert other.at(*LARGE).median == pytest.approx(1.44 * one.at(*LARGE).median)
