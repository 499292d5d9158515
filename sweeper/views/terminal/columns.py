"""Tables for terminals of any width: on a narrow one less important columns are left out, and then
headings shrink."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

GAP = "  "
ELLIPSIS = "…"


@dataclass(frozen=True)
class Column:
    """A heading and the cells below it.

    Attributes:
        drop: Columns with a number may be left out, the lowest number first.
    """

    heading: str
    cells: Sequence[str]
    right: bool = True
    drop: int | None = None

    @property
    def content_width(self) -> int:
        return max(map(cell_len, self.cells), default=1)

    @property
    def width(self) -> int:
        return max(cell_len(self.heading), self.content_width)


def table(
    columns: Sequence[Column], width: int, styles: Sequence[str] = (), *, ascii: bool = False
) -> Text:
    """The columns side by side, no line longer than `width`; each row in its style."""
    kept = fitting(columns, width)
    widths = _widths(kept, width)
    lines = [Text(_line([c.heading for c in kept], kept, widths, width, ascii), style="bold")]
    rows = zip(*(column.cells for column in kept), strict=True)
    for index, cells in enumerate(rows):
        style = styles[index] if index < len(styles) else ""
        lines.append(Text(_line(cells, kept, widths, width, ascii), style=style))
    return Text("\n").join(lines)


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that `width` has room for with whole headings, as far as any may be left out."""
    kept = list(columns)
    missable = sorted((c for c in kept if c.drop is not None), key=lambda c: c.drop or 0)
    for column in missable:
        if total([c.width for c in kept]) <= width:
            break
        kept.remove(column)
    return kept


def total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column. If there is no room, headings shrink, the longest first."""
    widths = [column.width for column in columns]
    least = [column.content_width for column in columns]
    while total(widths) > width:
        spare, index = max(
            (w - at_least, i) for i, (w, at_least) in enumerate(zip(widths, least, strict=True))
        )
        if spare <= 0:
            break
        widths[index] -= 1
    return widths


def _line(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], width: int, ascii: bool
) -> str:
    padded = []
    for cell, column, room in zip(cells, columns, widths, strict=True):
        text = cut(cell, room, ascii=ascii)
        pad = " " * (room - cell_len(text))
        padded.append(pad + text if column.right else text + pad)
    return cut(GAP.join(padded).rstrip(), width, ascii=ascii)


def cut(text: str, width: int, *, ascii: bool = False) -> str:
    """The text, cut to at most this many cells; an ellipsis stands for what is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)) + ("." if ascii else ELLIPSIS)
