"""What is noise and what is not, against scipy's own Tukey test."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import tukey_hsd

from sweeper.analysis.noise import noise_in, noise_of
from tests.sweeper.analysis.summary.sweeps import by_rate, seeded, sweep_of, trial


def test_without_repeats_nothing_is_known_of_the_noise() -> None:
    assert noise_of(sweep_of(by_rate({1e-3: 1.0, 1e-2: 2.0})).ranking.points) is None


def test_the_deviation_is_pooled_over_the_points() -> None:
    groups = {1e-4: [3.0, 3.2], 1e-3: [2.0, 2.1, 2.3], 1e-2: [2.6]}
    noise = noise_of(sweep_of(seeded(groups)).ranking.points)
    assert noise is not None
    squares = statistics.variance([3.0, 3.2]) + 2 * statistics.variance([2.0, 2.1, 2.3])
    assert noise.deviation == pytest.approx(math.sqrt(squares / 3))
    assert noise.degrees == 3


def test_unstable_points_do_not_tie_stable_ones() -> None:
    """The truth is known: 0.05 is five deviations of the good points, half a one of the bad."""
    apart = 0
    for number in range(40):
        rng = np.random.default_rng(number)
        levels = {1e-3: 3.0, 2e-3: 3.05, 4e-3: 3.05, 5e-4: 3.06, 2.5e-4: 3.1}
        groups = {rate: list(rng.normal(level, 0.01, 3)) for rate, level in levels.items()}
        unstable = {rate: list(rng.normal(3.6, 0.1, 3)) for rate in (8e-3, 1.6e-2, 3.2e-2, 6.4e-2)}
        noise = noise_of(sweep_of(seeded(groups | unstable)).ranking.points)
        assert noise is not None
        apart += [point.point["learning_rate"] for point in noise.tied] == [1e-3]
    assert apart >= 34


SHARED = 3.0  # deviations: what a seed does to all alike, beside what it does to one


@pytest.mark.parametrize("shared", [0.0, SHARED])
def test_settings_that_are_all_alike_are_rarely_told_apart(shared: float) -> None:
    """Of sweeps over what has no effect at most one in twenty may name a winner."""
    claims = [len(tied_in(number, shared, lead=0.0)) == 1 for number in range(200)]
    assert np.mean(claims) <= 0.05


@pytest.mark.parametrize("shared", [0.0, SHARED])
def test_one_that_is_ahead_is_found(shared: float) -> None:
    """By five deviations of what a seed does to one alone, whatever it does to all."""
    found = [tied_in(number, shared, lead=5.0) == [1e-3] for number in range(100)]
    assert np.mean(found) >= 0.75


def tied_in(number: int, shared: float, lead: float) -> list[float]:
    """Of eight settings with three seeds, of which one is ahead."""
    rng = np.random.default_rng(number)
    shifts = rng.normal(0, shared, 3)
    groups = {1e-3 * 2**k: list(shifts - lead * (k == 0) + rng.normal(0, 1, 3)) for k in range(8)}
    noise = noise_in(sweep_of(seeded(groups)).ranking)
    assert noise is not None
    return [float(str(point.point["learning_rate"])) for point in noise.tied]


def test_identical_repeats_tie_nothing() -> None:
    noise = noise_of(sweep_of(seeded({1e-3: [1.0, 1.0], 1e-2: [1.1, 1.1]})).ranking.points)
    assert noise is not None
    assert (noise.deviation, len(noise.tied)) == (0.0, 1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(0, 60), min_size=2, max_size=4, unique=True), min_size=2, max_size=5
    )
)
def test_tied_are_those_that_scipys_tukey_test_cannot_tell_from_the_best(
    groups: list[list[int]],
) -> None:
    values = {10.0**-index: [v / 10 for v in group] for index, group in enumerate(groups)}
    points = sweep_of(seeded(values)).ranking.points
    noise = noise_of(points)
    assert noise is not None
    reference = tukey_hsd(*(np.array(point.values) for point in points))
    p_values = reference.pvalue[0][1:]
    if np.any(np.abs(p_values - 0.05) < 1e-4):
        return  # on the line
    expected = [
        points[0],
        *(p for p, value in zip(points[1:], p_values, strict=True) if value > 0.05),
    ]
    assert list(noise.tied) == expected


def test_two_trials_at_one_point_are_no_repeats_without_seeds() -> None:
    same = [
        trial("0000", {"learning_rate": 1e-3}, 1.0),
        trial("0001", {"learning_rate": 1e-3}, 1.1),
    ]
    points = sweep_of(same).ranking.points
    assert [point.mean for point in points] == [1.0, 1.1]
    assert noise_of(points) is None
