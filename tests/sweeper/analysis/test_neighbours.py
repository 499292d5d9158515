"""The noise that neighbours leave over, on curves whose noise is known."""

import math

import numpy as np
import pytest

from sweeper.analysis.neighbours import estimated_deviation
from sweeper.spec.domains.scale import Scale
from tests.sweeper.analysis.remarks.traps import setting
from tests.sweeper.analysis.summary.sweeps import by_rate, sweep_of, trial


@pytest.mark.parametrize("steeper", [1, 2])
@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_of_known_curves_it_is_about_their_noise(steeper: float, noise: float) -> None:
    ratios = []
    for number in range(200):
        rng = np.random.default_rng(number)
        best, bend = rng.uniform(-1, 1), rng.uniform(0.03, 0.08)
        xs = np.linspace(-3, 3, 9)
        loss = bend * (xs - best) ** 2 * np.where(xs > best, steeper, 1)
        losses = 3 + loss + rng.normal(0, noise, 9)
        rates = {1e-3 * 2 ** float(x): float(y) for x, y in zip(xs, losses, strict=True)}
        found = estimated_deviation(
            sweep_of(by_rate(rates)).ranking.points, {"learning_rate": "log"}
        )
        assert found is not None
        ratios.append(found / noise)
    assert 0.6 < np.median(ratios) < 2


def test_a_parabola_leaves_nothing_over_however_its_values_are_spaced() -> None:
    rates = {1e-3 * 2**x: 3 + 0.1 * (x - 0.3) ** 2 for x in (-3, -1, -0.5, 0, 2, 2.5, 4)}
    found = estimated_deviation(sweep_of(by_rate(rates)).ranking.points, {"learning_rate": "log"})
    assert found == pytest.approx(0, abs=1e-9)


def test_only_points_that_differ_in_one_setting_are_neighbours() -> None:
    lrs = setting("learning_rate", [1e-3, 2e-3, 4e-3, 8e-3])
    decays = setting("weight_decay", [0, 0.1, 0.2], scale="linear")
    points = [
        {"learning_rate": rate, "weight_decay": decay}
        for rate in lrs.options
        for decay in decays.options
    ]
    trials = [
        trial(f"{k:02d}", point, 3 + 0.1 * math.log2(point["learning_rate"] / 2e-3) ** 2 + k % 3)  # type: ignore[operator, arg-type]
        for k, point in enumerate(points)
    ]
    scales: dict[str, Scale] = {"learning_rate": "log", "weight_decay": "linear"}
    found = estimated_deviation(sweep_of(trials, [lrs, decays]).ranking.points, scales)
    assert found is None, "of the better half only some lie in a row of four"


def test_few_points_say_nothing() -> None:
    points = sweep_of(by_rate({1e-3: 1.0, 2e-3: 1.1, 4e-3: 1.3, 8e-3: 1.7})).ranking.points
    assert estimated_deviation(points, {"learning_rate": "log"}) is None
