"""Tables that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sweeper.views.terminal.columns import Column, cut, table

COLUMNS = [
    Column("trial", ["0000", "0001"], right=False),
    Column("learning_rate", ["0.001", "0.02"]),
    Column("tok/s", ["1.5k", "900"], drop=0),
    Column("perplexity", ["4.17", "11.97"], drop=1),
    Column("state", ["completed", "stopped"], right=False),
]


def lines(width: int) -> list[str]:
    return table(COLUMNS, width).plain.split("\n")


def test_with_room_everything_is_shown() -> None:
    assert lines(80) == [
        "trial  learning_rate  tok/s  perplexity  state",
        "0000           0.001   1.5k        4.17  completed",
        "0001            0.02    900       11.97  stopped",
    ]


def test_what_can_be_missed_goes_first_then_headings_shrink() -> None:
    assert lines(45)[0] == "trial  learning_rate  perplexity  state"
    assert lines(32)[0] == "trial  learning_rate  state"
    assert lines(25)[0] == "trial  learni…  state"
    assert lines(22) == ["tri…  lear…  state", "0000  0.001  completed", "0001   0.02  stopped"]


@pytest.mark.parametrize("width", range(1, 60))
def test_no_line_is_longer_than_the_width_and_none_ends_in_spaces(width: int) -> None:
    for line in lines(width):
        assert len(line) <= width
        assert line == line.rstrip()


def test_numbers_are_whole_as_long_as_they_fit() -> None:
    for width in range(22, 60):
        for row, rate in zip(lines(width)[1:], ("0.001", "0.02"), strict=True):
            assert rate in row.split()


@given(st.text("ab é語…", max_size=30), st.integers(1, 40))
def test_what_is_cut_says_so(text: str, width: int) -> None:
    short = cut(text, width)
    assert cell_len(short) <= width
    assert short == text or short.endswith("…")


def test_rows_have_their_styles() -> None:
    drawn = table(COLUMNS, 80, ["green", "dim"])
    assert [str(span.style) for span in drawn.spans] == ["bold", "green", "dim"]
