"""Curves in characters: as a line of blocks in the cell of a table, and as a chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float | None]  # x and y; None: no number, as after a divergence

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.,-~+*#"
GAP, ASCII_GAP = "×", "x"  # stands for a value that is no number


@dataclass(frozen=True)
class Scale:
    """The scale that all curves of a table share, so that their heights compare: from the lowest
    value to the highest, logarithmic if all are above 0."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale | None":
        """The scale for these values; None if there is nothing to show."""
        return cls(min(values), max(values)) if values else None

    def height(self, value: float) -> float:
        """Where a value is on the scale, from 0 to 1."""
        low, high = self.low, self.high
        if low > 0:
            value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
        if low >= high:  # of the logarithms, which can be equal where the values are not
            return 0.0
        return min(1.0, max(0.0, (value - low) / (high - low)))


def sparkline(
    points: Sequence[Point], scale: Scale, *, end: float, width: int, ascii: bool = False
) -> str:
    """A curve of at most `width` cells, each of which is an equal part of the way to `end`. It ends
    where the points end, so a trial that was stopped early has a short one.

    Args:
        points: By increasing x, above 0.
    """
    blocks, gap = (ASCII_BLOCKS, ASCII_GAP) if ascii else (BLOCKS, GAP)
    cells: list[str] = []
    for x, y in points:
        cell = min(width, max(1, math.ceil(x / end * width)))
        mark = gap if y is None else blocks[min(7, int(scale.height(y) * 8))]
        if len(cells) >= cell:
            cells[-1] = mark
        else:  # what was not measured on the way is as at the next measurement
            cells += [mark] * (cell - len(cells))
    return "".join(cells)


def chart(curves: Sequence[tuple[str, Sequence[Point]]], *, width: int, height: int) -> list[str]:
    """Curves over x with axes, as lines of at most `width`; later curves lie on top.

    Args:
        curves: Each a mark of one character, with its points.
    """
    drawn = [(x, y) for _, points in curves for x, y in points if y is not None]
    if not drawn:
        return []
    scale = Scale(min(y for _, y in drawn), max(y for _, y in drawn))
    labels = [f"{scale.high:.4g}", f"{scale.low:.4g}"]
    margin = max(map(len, labels))
    columns = max(2, width - margin - 2)
    last = max(x for x, _ in drawn)
    rows = [[" "] * columns for _ in range(height)]
    for mark, points in curves:
        for column, row in _cells(points, scale, last, columns, height):
            rows[row][column] = mark
    beside = [labels[0], *[""] * (height - 2), labels[1]]
    lines = [
        f"{label:>{margin}} |{''.join(row)}".rstrip()
        for label, row in zip(beside, rows, strict=True)
    ]
    lines.append(f"{'':{margin}} +{'-' * columns}")
    lines.append(f"{'':{margin}}  0{f'{last:g}':>{columns - 1}}")
    return lines


def _cells(
    points: Sequence[Point], scale: Scale, last: float, columns: int, rows: int
) -> list[tuple[int, int]]:
    """The cells, as column and row from the top, in which points lie or which join two of them."""
    there = [(x, y) for x, y in points if y is not None]
    cells = [
        (
            min(columns - 1, int(x / last * columns)) if last else 0,
            round((1 - scale.height(y)) * (rows - 1)),
        )
        for x, y in there
    ]
    joined = list(cells)
    for (column, row), (next_column, next_row) in pairwise(cells):
        for between in range(column + 1, next_column):
            share = (between - column) / (next_column - column)
            joined.append((between, round(row + share * (next_row - row))))
    return joined
