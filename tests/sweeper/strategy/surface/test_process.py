"""The process: against the textbook's formula, and by what it promises of functions it has not
seen."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import invgamma, multivariate_normal, norm

from sweeper.strategy.surface import process
from sweeper.strategy.surface.process import Process, expected_improvement


def kernel(a: np.ndarray, b: np.ndarray, lengths: np.ndarray, slope: float) -> np.ndarray:
    far = np.sqrt(5 * (((a[:, None] - b[None]) / lengths) ** 2).sum(-1))
    smooth = (1 + far + far**2 / 3) * np.exp(-far)
    product = a @ b.T
    return smooth + process.TREND * (1 + product**2 / 2) + slope * product


@pytest.mark.parametrize("bends", [None, np.array([8.0, 2.0])])
def test_under_each_kernel_it_is_the_textbooks_posterior(bends: np.ndarray | None) -> None:
    slope = process.TREND if bends is None else process.SLOPE
    rng = np.random.default_rng(0)
    at, there, values = rng.normal(size=(7, 2)), rng.normal(size=(3, 2)), rng.normal(size=7)
    fitted = Process(at, values, bends=bends)
    means, variances = fitted.each(there)
    assert len(fitted.draws) > 3
    lengths, spreads = process.lengths_and_spreads(fitted.draws)
    share = process.NOISE * spreads
    scaled, centre = (values - values.mean()) / values.std(), at.mean(0)
    expected = np.zeros(2) if bends is None else bends
    valley, valley_there = ((x - centre) ** 2 @ expected / 2 for x in (at, there))
    for j in range(len(fitted.draws)):
        inner = kernel(at - centre, at - centre, lengths[j], slope) + np.eye(7) * (share[j] + 1e-8)
        across = kernel(there - centre, at - centre, lengths[j], slope)
        left = kernel(there - centre, there - centre, lengths[j], slope) - across @ np.linalg.solve(
            inner, across.T
        )  # Rasmussen and Williams, 2.26
        # The signal's deviation, integrated over by hand.
        of_signal = []
        for signal in process.SIGNALS:
            likely = multivariate_normal(signal * valley, signal**2 * inner).logpdf(scaled)
            prior = invgamma(1, scale=1).logpdf(signal**2) + 2 * np.log(signal)
            pull = np.linalg.solve(inner, scaled - signal * valley)
            of_signal.append((likely + prior, signal * valley_there + across @ pull))  # 2.25
        chances = np.exp([chance - max(c for c, _ in of_signal) for chance, _ in of_signal])
        chances /= chances.sum()
        mean = chances @ [m for _, m in of_signal]
        spread = chances @ [(m - mean) ** 2 for _, m in of_signal]
        variance = chances @ process.SIGNALS**2 * np.diag(left) + spread
        assert means[j] == pytest.approx(values.mean() + values.std() * mean, rel=1e-6)
        assert variances[j] == pytest.approx(values.std() ** 2 * variance, rel=1e-5)


@pytest.mark.parametrize("bends", [None, np.array([4.0])])
def test_its_draws_have_its_mean_and_its_deviation(bends: np.ndarray | None) -> None:
    at = np.linspace(-1, 1, 5)[:, None]
    there = np.array([[0.2], [1.8]])
    fitted = Process(at, at[:, 0] ** 2, bends=bends)
    drawn = fitted.sample(there, 4000)
    means, variances = fitted.each(there)
    assert drawn.mean(1) == pytest.approx(means, abs=0.05)
    assert drawn.std(1) == pytest.approx(np.sqrt(variances), rel=0.1, abs=2e-3)


@pytest.mark.parametrize("known", [6, 12, 24])
def test_nine_in_ten_values_lie_within_its_ninety_percent(known: int) -> None:
    inside, rng = [], np.random.default_rng(1)
    for _ in range(60):
        at = rng.uniform(-1.5, 1.5, size=(known + 10, 2))
        optimum, bend = rng.uniform(-1, 1, 2), rng.uniform(0.2, 2, 2)
        bump = rng.normal() * np.sin(2 * at[:, 0] + rng.uniform(0, 6))
        values = ((at - optimum) ** 2 @ bend) + 0.3 * bump + rng.normal(0, 0.05, len(at))
        fitted = Process(at[:known], values[:known])
        mean, deviation = fitted.forecast(at[known:])
        width = norm.ppf(0.95) * np.hypot(deviation, fitted.noise)
        inside += list(np.abs(values[known:] - mean) <= width)
    assert np.mean(inside) > 0.82, "of values that it was not told"


def test_equal_values_and_a_single_one_are_no_fault() -> None:
    for values in (np.zeros(1), np.ones(4)):
        at = np.linspace(0, 1, len(values))[:, None]
        mean, deviation = Process(at, values).forecast(np.array([[0.5]]))
        assert mean == pytest.approx(values[:1], abs=1e-9)
        assert np.isfinite(deviation).all()


def test_the_expected_improvement_is_the_integral() -> None:
    drawn = np.random.default_rng(0).normal(1.2, 0.5, 1_000_000)
    integral = np.maximum(0.9 - drawn, 0).mean()
    found = expected_improvement(np.array([0.9]), np.array([1.2]), np.array([0.25]))
    assert found == pytest.approx([integral], rel=0.01)


@pytest.mark.parametrize("loss", [np.zeros_like, np.square])
def test_values_without_noise_are_drawn_from_too(loss: Callable[[np.ndarray], np.ndarray]) -> None:
    at = np.linspace(-3.4, 3.4, 60)[:, None]  # of 1e-6 to 1 on a log scale
    fitted = Process(at, loss(at[:, 0]), bends=np.array([8.0]), rounds=4)
    drawn = fitted.sample(at, 8)
    assert drawn == pytest.approx(np.broadcast_to(loss(at[:, 0]), drawn.shape), abs=0.05)
