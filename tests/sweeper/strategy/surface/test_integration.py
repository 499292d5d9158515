"""The average over draws: against integrals that are known."""

import numpy as np
import pytest

from sweeper.strategy.surface.integration import DRAWS, weighted_draws

MIDDLE, WIDTH = np.array([1.0, -1.5, 0.5, 1.0]), 0.3
SHRUNK = 1 / (1 + WIDTH**2)  # of a normal likelihood, with a prior whose variance is 1


def log_likelihood(draws: np.ndarray) -> np.ndarray:
    likely: np.ndarray = -(((draws - MIDDLE) / WIDTH) ** 2).sum(axis=1) / 2
    return likely


def test_rounds_come_near_to_what_one_round_of_draws_misses() -> None:
    draws, weights, evidence = weighted_draws(log_likelihood, 4, rounds=4)
    mean = weights @ draws
    deviation = np.sqrt(weights @ (draws - mean) ** 2)
    assert mean == pytest.approx(MIDDLE * SHRUNK, abs=0.1)
    assert deviation == pytest.approx(WIDTH * np.sqrt(SHRUNK), rel=0.25)
    integral = 2 * np.log(WIDTH**2 * SHRUNK) - (MIDDLE**2).sum() * SHRUNK / 2
    assert evidence == pytest.approx(integral, abs=0.3)
    _, of_one, _ = weighted_draws(log_likelihood, 4, rounds=1)
    assert of_one.max() > 0.5, "of 32 draws one has all the say"
    assert weights.max() < 0.25


def test_where_nothing_is_known_all_draws_tell_the_same() -> None:
    draws, weights, evidence = weighted_draws(lambda draws: np.zeros(len(draws)), 2, rounds=1)
    assert draws.shape == (DRAWS, 2)
    assert weights == pytest.approx(1 / DRAWS)
    assert evidence == pytest.approx(0)
    again, of_more, evidence = weighted_draws(lambda draws: np.zeros(len(draws)), 2, rounds=3)
    assert evidence == pytest.approx(0, abs=0.1)
    assert of_more @ again == pytest.approx(0, abs=0.1)
