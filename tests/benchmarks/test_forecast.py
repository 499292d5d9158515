"""benchmarks/forecast.py: what it prints of one family, and that a forecast is worth making."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.forecast import Case, Told, by_the_seed, forecast, of_table, row
from sweeper.analysis.backtest.reading import read_table

TABLE = Path(__file__).parents[2] / "benchmarks" / "curves" / "python_d64.parquet"


def test_a_row_says_what_was_told() -> None:
    told = [Told(1.0, True, True), Told(3.0, False, True), Told(8.0, True, False)]
    line = row("x", Case(0.25, 6), told, 0.5)
    assert line == "| x | 25% | 6 | 4.00 % | 2.00 % | 2.00 % | 67% | 50% | 0.50 % |"


def test_ends_are_forecast_far_better_than_from_the_loss_alone() -> None:
    """A trial at half of its way that was taken to fall as far as the mean of those that ended
    would be off by several per cent."""
    (recording,) = read_table(TABLE)
    told = [t for draw in range(2) for t in forecast(recording.fields[0], Case(0.5, 12), draw)]
    good = [one.error for one in told if one.good]
    assert len(told) == 2 * (30 - 12)
    assert sum(good) / len(good) < 1
    assert sum(one.inside for one in told) / len(told) > 0.75


def test_what_seeds_alone_leave_is_what_was_planted() -> None:
    """At half of its way a trial has half of its seed's deviation, and the other half comes after:
    0.02 of 3, of which the mean absolute error of a normal one is 0.8."""
    (recording,) = read_table(TABLE)
    rng = np.random.default_rng(0)
    before, after = rng.normal(0, 0.02, (2, len(recording.fields), len(recording.settings)))
    seeds = rng.normal(0, 1, len(recording.fields))
    for seed, field in enumerate(recording.fields):
        for setting, values in enumerate(field.values):
            here, end = len(values) // 2 - 1, len(values) - 1
            values[here] = 4 + seeds[seed] + before[seed, setting]
            values[end] = 3 + seeds[seed] + before[seed, setting] + after[seed, setting]
    level = 3 + seeds.mean()
    assert by_the_seed(recording, 0.5) == pytest.approx(100 * 0.8 * 0.02 / level, rel=0.3)


def test_a_row_for_each_case() -> None:
    lines = of_table(TABLE, [Case(0.5, 12), Case(0.25, 12)], draws=1)
    assert [line.split(" | ")[1] for line in lines] == ["50%", "25%"]
