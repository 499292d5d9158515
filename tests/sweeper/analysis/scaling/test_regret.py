import math

import numpy as np
import pytest

from sweeper.analysis.scaling.belief import Belief
from sweeper.analysis.scaling.learning_rate_law import OCTAVE
from sweeper.analysis.scaling.regret import Rise, rise_of
from tests.sweeper.analysis.scaling.truths import size


def normal(mean: float, deviation: float) -> Belief:
    return Belief.of_normals(np.array([mean]), np.array([deviation]), np.array([1.0]))


def test_a_belief_of_one_normal_has_its_quantiles() -> None:
    belief = normal(-7, 0.5)
    assert belief.mean == pytest.approx(-7) and belief.median == pytest.approx(-7)
    low, high = belief.interval(0.8)
    assert (low, high) == pytest.approx((-7 - 1.2816 * 0.5, -7 + 1.2816 * 0.5), abs=0.02)


def test_in_an_even_valley_the_middle_is_the_safest() -> None:
    taken, rise = Rise(0.01, 0.01).safest(normal(-7, 0.5))
    assert taken == pytest.approx(-7, abs=0.01)
    assert rise == pytest.approx(0.01 * 0.25, rel=0.05), "the bend times the variance"


def test_where_the_loss_rises_faster_above_less_is_safer() -> None:
    taken, _ = Rise(0.005, 0.02).safest(normal(-7, 0.5))
    assert -7.5 < taken < -7.1


def test_the_rise_is_that_of_most_sizes() -> None:
    usual = [size(n, 1e6, -7 + k, rises=(0.004, 0.02)) for k, n in enumerate((1e5, 2e5))]
    odd = size(4e5, 1e6, -7, rises=(0.5, 0.5))
    found = rise_of([*usual, odd])
    below, above = (bend * math.log(2) ** 2 for bend in (found.below, found.above))
    assert (below, above) == pytest.approx((0.004, 0.02), rel=1e-6)
    assert found.at(np.array([-OCTAVE, OCTAVE])) == pytest.approx([0.004, 0.02])
