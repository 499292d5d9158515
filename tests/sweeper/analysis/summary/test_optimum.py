"""The interval of an optimum holds the true one as often as it says, for curves of several forms,
none of them the model's own."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.summary.ends import ends_of
from sweeper.analysis.summary.levels import levels_of
from sweeper.analysis.summary.optimum import OptimumInterval, optima_of
from sweeper.record.state.arrivals import Arrival
from sweeper.status import Status
from sweeper.views.format import optimum_text
from tests.sweeper.analysis.summary.sweeps import (
    LEARNING_RATE,
    SIZE,
    by_rate,
    seeded,
    sweep_of,
    trial,
)

Loss = Callable[[float], float]


def drawn_curve(rng: np.random.Generator) -> tuple[Loss, float]:
    """A loss over octaves around 1e-3, steeper to the right as learning rates are, and its best."""
    best, bend, steeper = rng.uniform(-1, 1), rng.uniform(0.02, 0.12), rng.uniform(1, 3)
    forms: list[Loss] = [
        lambda x: bend * (x - best) ** 2,
        lambda x: bend * (x - best) ** 2 * (steeper if x > best else 1),
        lambda x: bend * (math.exp(x - best) - 1 - (x - best)),
        lambda x: 2 * bend * math.log(math.cosh(1.5 * (x - best))),
    ]
    return forms[rng.integers(len(forms))], best


def optima(sweep: SweepData) -> tuple[OptimumInterval, ...]:
    return optima_of(sweep, levels_of(sweep), ends_of(sweep))


def interval(xs: np.ndarray, loss: Loss, noise: float, seeds: int, number: int) -> OptimumInterval:
    rng = np.random.default_rng([number, 1])
    values = {
        1e-3 * 2 ** float(x): [3 + loss(float(x)) + rng.normal(0, noise) for _ in range(seeds)]
        for x in xs
    }
    trials = seeded(values) if seeds > 1 else by_rate({r: v[0] for r, v in values.items()})
    (found,) = optima(sweep_of(trials))
    return found


@pytest.mark.parametrize(
    ("num_rates", "seeds", "octaves", "noise"),
    [
        (5, 2, 4, 0.01),
        (9, 1, 6, 0.01),
        pytest.param(5, 2, 4, 0.003, marks=pytest.mark.slow),
        pytest.param(7, 2, 6, 0.01, marks=pytest.mark.slow),
        pytest.param(9, 3, 6, 0.003, marks=pytest.mark.slow),
    ],
)
def test_nine_in_ten_intervals_hold_the_true_optimum(
    num_rates: int, seeds: int, octaves: int, noise: float
) -> None:
    held, bounded = [], []
    for number in range(60):
        loss, best = drawn_curve(np.random.default_rng(number))
        found = interval(
            np.linspace(-octaves / 2, octaves / 2, num_rates), loss, noise, seeds, number
        )
        low, high, taken = (math.log2(x / 1e-3) for x in (found.low, found.high, found.taken))
        assert low <= taken <= high
        held.append(low <= best <= high)
        bounded.append(loss(taken) <= found.regret)
    assert np.mean(held) >= 0.88
    assert np.mean(bounded) >= 0.85


def test_the_best_beyond_the_end_is_said_to_be_there() -> None:
    found = interval(np.linspace(-2, 2, 6), lambda x: 0.05 * (x - 4) ** 2, 0.001, 2, 0)
    assert found.at_high_end
    assert not found.at_low_end


def test_of_a_setting_without_effect_nothing_is_claimed() -> None:
    wide = []
    for number in range(20):
        found = interval(np.linspace(-2, 2, 6), lambda x: 0.0, 0.01, 3, number)
        wide.append(math.log2(found.high / found.low))
    assert np.median(wide) > 2.5, "of four octaves"


def test_three_values_have_no_form() -> None:
    assert optima(sweep_of(by_rate({1e-4: 3.0, 1e-3: 2.0, 1e-2: 3.0}))) == ()


def test_where_nothing_has_ended_there_is_none() -> None:
    assert optima(sweep_of([])) == ()


def test_it_is_said_in_one_sentence_with_the_value_to_take() -> None:
    told = OptimumInterval(
        name="learning_rate",
        low=0.0018,
        high=0.0025,
        taken=0.0021,
        value=3.0,
        regret=0.0012,
        at_low_end=False,
        at_high_end=False,
    )
    assert optimum_text(told) == (
        "Take learning_rate 0.0021: the best lies in 0.0018 to 0.0025 (95 %), "
        "and 0.0021 is at most 0.0012 (0.04 %) worse than it."
    )
    at_end = replace(told, at_high_end=True)
    assert "0.0018 to 0.0025 or above (95 %), at the edge" in optimum_text(at_end)
    assert "cannot be told" in optimum_text(replace(at_end, is_known=False))


def test_a_number_is_written_out_and_rounded_to_what_it_can_bear() -> None:
    told = OptimumInterval(
        name="warmup_steps", low=118.4, high=240.0, taken=163.0, value=3.0, regret=0.01,
        at_low_end=False, at_high_end=False,
    )  # fmt: skip
    assert optimum_text(told).startswith(
        "Take warmup_steps 160: the best lies in 120 to 240 (95 %)"
    )


def test_below_the_least_that_a_run_accepts_there_is_nothing_better() -> None:
    warmup = Parameter(name="warmup_steps", scale="linear", low=0, high=80, least=0)
    trials = [trial(f"{k:04d}", {"warmup_steps": 20 * k}, 3 + 0.05 * k**2) for k in range(5)]
    (found,) = optima(sweep_of(trials, parameters=[warmup]))
    assert (found.low, found.at_low_end) == (0, False)
    (found,) = optima(sweep_of(trials, parameters=[replace(warmup, least=None)]))
    assert found.at_low_end


def test_each_size_has_an_optimum_of_its_own() -> None:
    best = {"small": -1.0, "large": 1.0}
    trials = [
        replace(one, trial_id=f"{size}{one.trial_id}")
        for size, at in best.items()
        for one in by_rate(
            {1e-3 * 2**x: 3 + 0.1 * (x - at) ** 2 for x in (-3, -2, -1, 0, 1, 2, 3)}, size=size
        )
    ]
    sizes = replace(SIZE, changes_size=True)
    found = {each.group: each for each in optima(sweep_of(trials, [LEARNING_RATE, sizes]))}
    for size, at in best.items():
        assert found[size].low <= 1e-3 * 2**at <= found[size].high
        assert found[size].high / found[size].low < 2
        assert f"for {size}" in optimum_text(found[size])


def test_trials_that_were_stopped_count_with_their_forecasts() -> None:
    loss = {1e-3 * 2**x: 3 + 0.1 * x**2 for x in (-3, -2, -1, 0, 1, 2, 3)}
    trials = [
        one
        if abs(math.log2(one.point["learning_rate"] / 1e-3)) < 1.5
        else replace(one, status=Status.STOPPED, forecast=Forecast(one.value or 0.0, 0.01))
        for one in by_rate(loss)
    ]
    (found,) = optima(sweep_of(trials))
    assert found.level is None
    assert found.low <= 1e-3 <= found.high
    bare = [replace(one, forecast=None) for one in trials]
    assert optima(sweep_of(bare)) == (), "three at their ends have no form"


def test_without_forecasts_it_is_shown_at_the_deepest_rung_that_has_points_on_both_sides() -> None:
    loss = {1e-3 * 2**x: 3 + 0.1 * x**2 for x in (-3, -2, -1, 0, 1, 2, 3)}
    trials = [replace(t, status=Status.STOPPED) for t in by_rate(loss)]
    every = [
        Arrival(rung=4, trial_id=t.trial_id, step=4, value=t.value, kept=k < 5)
        for k, t in enumerate(trials)
    ]
    some = [replace(arrival, rung=8, step=8) for arrival in every[:4]]  # the best at their end
    (found,) = optima(sweep_of(trials, arrivals=(*every, *some)))
    assert found.level is not None
    assert found.level.rung == 4
    assert "at the end it may be another" in optimum_text(found)


def test_what_diverged_bounds_where_the_best_lies() -> None:
    rates = {1e-3 * 2**x: 3 + 0.1 * (x - 2) ** 2 for x in (-3, -2, -1, 0, 1, 2)}
    diverged = [
        trial(f"d{x}", {"learning_rate": 1e-3 * 2**x}, None, status=Status.DIVERGED) for x in (3, 4)
    ]
    (found,) = optima(sweep_of([*by_rate(rates), *diverged]))
    assert not found.at_high_end
    assert found.high < 1.6e-2


def test_what_is_known_along_a_setting_agrees_with_the_interval() -> None:
    found = interval(np.linspace(-2, 2, 9), lambda x: 0.05 * (x - 0.3) ** 2, 0.002, 2, 0)
    assert found.valley is not None
    nodes, chances = np.array(found.valley.nodes), np.array(found.valley.chances)
    assert chances.sum() == pytest.approx(1)
    assert chances[(nodes >= found.low) & (nodes <= found.high)].sum() >= 0.95
    assert found.valley.expected[int(np.argmin(abs(nodes - found.taken)))] == found.value
    assert math.log2(nodes[np.argmin(found.valley.expected)] / 1e-3) == pytest.approx(0.3, abs=0.3)


@pytest.mark.parametrize("nonsense", [Forecast(-250.0, 2500.0), Forecast(2.0, 0.01)])
def test_nothing_is_recommended_that_contradicts_the_winner(nonsense: Forecast) -> None:
    trials = by_rate({1e-3 * 2**x: 3 + 0.1 * x**2 for x in (-3, -2, -1, 0, 1, 2, 3)})
    stopped = trial("far", {"learning_rate": 0.1}, 6.0, status=Status.STOPPED, forecast=nonsense)
    (found,) = optima(sweep_of([*trials, stopped]))
    assert found.low <= 1e-3 <= found.high
    assert found.taken < 4e-3 or not found.is_known


def test_a_best_trial_beside_the_valley_of_a_random_sweep_is_no_contradiction() -> None:
    warmup = Parameter(name="warmup_steps", scale="linear", low=0, high=100)
    rate = replace(LEARNING_RATE, options=(), low=1.25e-4, high=8e-3)
    rng = np.random.default_rng(0)
    known = []
    for _ in range(6):
        drawn = [(1e-3 * 2 ** rng.uniform(-3, 3), rng.uniform(0, 100)) for _ in range(24)]
        trials = [
            trial(
                f"{k:04d}",
                {"learning_rate": x, "warmup_steps": steps},
                3 + 0.05 * math.log2(x / 1e-3) ** 2 + 0.1 * ((steps - 50) / 50) ** 2,
            )
            for k, (x, steps) in enumerate(drawn)
        ]
        for found in optima(sweep_of(trials, [rate, warmup])):
            known.append(found.is_known)
            assert found.low <= (1e-3 if found.name == "learning_rate" else 50) <= found.high
    assert all(known)


def test_a_winner_by_luck_of_its_seeds_contradicts_nothing() -> None:
    for number in range(8):
        loss, _ = drawn_curve(np.random.default_rng(500 + number))
        found = interval(np.linspace(-3, 3, 41), loss, 0.1, 2, number)
        assert found.is_known, number
