"""The noise where no point was repeated, as far as what neighbours leave over tells of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from sweeper.record.results.point_result import PointResult, T
from sweeper.spec.domains.scale import Scale

FEWEST = 3  # contrasts, below which nothing is said
IN_A_ROW = 4  # values: a parabola goes through three of any


def estimated_deviation(
    points: Sequence[PointResult[T]], scales: Mapping[str, Scale]
) -> float | None:
    """The deviation of a loss by noise alone, from points along one setting, all else the same.

    Of four values in a row, what no parabola explains is noise: a contrast of third order, in the
    setting's own scale (difference-based estimation of variance: Gasser, Sroka and Jennen-Steinmetz
    1986, here with one order more, since losses bend). A curve that bends otherwise makes it too
    large. Of the points the better half counts, as for the noise of seeds.

    Args:
        scales: Of each name that is swept.

    Returns:
        None if too few points lie in a row.
    """
    competing = points[: max(2 * IN_A_ROW, (len(points) + 1) // 2)]
    contrasts = [
        contrast
        for name, scale in scales.items()
        if scale != "category"
        for row in _rows(competing, name, scale)
        for contrast in _contrasts(row)
    ]
    if len(contrasts) < FEWEST:
        return None
    return math.sqrt(sum(contrast**2 for contrast in contrasts) / len(contrasts))


def _rows(
    points: Sequence[PointResult[T]], name: str, scale: Scale
) -> Iterator[list[tuple[float, float]]]:
    """The points that differ in this setting alone, in its order: where they lie on its scale, and
    their losses."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for result in points:
        value = result.point.get(name)
        if isinstance(value, int | float) and (value > 0 or scale == "linear"):
            others = {k: v for k, v in result.point.items() if k != name}
            at = math.log(value) if scale == "log" else float(value)
            rows.setdefault(repr(sorted(others.items())), []).append((at, result.mean))
    for row in rows.values():
        row.sort()
        if all(a[0] < b[0] for a, b in pairwise(row)):
            yield row


def _contrasts(row: Sequence[tuple[float, float]]) -> Iterator[float]:
    for first in range(len(row) - IN_A_ROW + 1):
        four = row[first : first + IN_A_ROW]
        factors = [1 / math.prod(x - other for other, _ in four if other != x) for x, _ in four]
        length = math.hypot(*factors)
        yield sum(f * y for f, (_, y) in zip(factors, four, strict=True)) / length
