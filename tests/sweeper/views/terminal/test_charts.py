"""Curves in characters, against what a person would draw."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweeper.views.terminal.charts import ASCII_BLOCKS, BLOCKS, Scale, chart, sparkline


def test_a_falling_curve_falls_block_by_block() -> None:
    points = [(step, 2.0 ** (8 - step)) for step in range(1, 9)]
    scale = Scale(1.0, 2.0**7)
    assert sparkline(points, scale, end=8, width=8) == "█▇▆▅▄▃▂▁"
    assert sparkline(points, scale, end=8, width=8, ascii=True) == ASCII_BLOCKS[::-1]


def test_a_trial_that_was_stopped_early_has_a_short_curve() -> None:
    scale = Scale(1.0, 4.0)
    assert sparkline([(1, 4.0), (2, 1.0)], scale, end=8, width=8) == "█▁"
    assert sparkline([(2, 4.0), (4, 1.0)], scale, end=8, width=4) == "█▁"
    assert sparkline([(4, 4.0)], scale, end=8, width=8) == "████"
    assert sparkline([], scale, end=8, width=8) == ""


def test_what_is_no_number_has_its_own_mark() -> None:
    assert sparkline([(1, 2.0), (2, None)], Scale(2.0, 2.0), end=2, width=2) == "▁×"


def test_of_several_evaluations_in_a_cell_the_last_counts() -> None:
    assert sparkline([(1, 9.0), (2, 1.0)], Scale(1.0, 9.0), end=4, width=2) == "▁"


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    st.integers(1, 40),
    st.integers(50, 10_000),
)
def test_any_curve_fits(values: list[float], width: int, end: int) -> None:
    scale = Scale.of(values)
    assert scale is not None
    line = sparkline(list(enumerate(values, start=1)), scale, end=end, width=width)
    assert 1 <= len(line) <= width
    assert len(line) == math.ceil(len(values) / end * width)
    assert set(line) <= set(BLOCKS)


@example([1.0000000000000003e-09, 1e-09])  # with equal logarithms
@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=20))
def test_a_higher_value_is_never_drawn_lower(values: list[float]) -> None:
    scale = Scale.of(values)
    assert scale is not None
    heights = [scale.height(value) for value in sorted(values)]
    assert heights == sorted(heights)
    assert all(0 <= height <= 1 for height in heights)


def test_a_chart_has_its_axes_and_its_curves_in_their_places() -> None:
    lines = chart([("o", [(0, 3.0), (5, 2.0), (10, 1.0)])], width=20, height=3)
    assert lines[0].startswith("3 |o")
    assert lines[2].startswith("1 |")
    assert lines[2].endswith("o")
    assert lines[0].count("o") > 1, "neighbours are joined"
    assert lines[-1].split() == ["0", "10"]
    assert len(lines) == 5


def test_later_curves_are_on_top() -> None:
    points = [(10, 1.0)]
    drawn = "".join(chart([(".", points), ("o", points)], width=12, height=3))
    assert "o" in drawn
    assert "." not in drawn


def test_nothing_to_draw() -> None:
    assert chart([("o", []), (".", [(1, None)])], width=40, height=5) == []


@pytest.mark.parametrize("width", [20, 40, 200])
def test_no_line_of_a_chart_is_longer_than_the_width(width: int) -> None:
    points = [(step, 5 / step) for step in range(1, 1001)]
    lines = chart([("o", points)], width=width, height=10)
    assert max(map(len, lines)) <= width
