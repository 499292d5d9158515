"""The scale on which a swept number is meant: as its domain says, or as its values are spaced."""

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from sweeper.spec.domains.domain import Domain, require_number
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.ranges import LogRange
from sweeper.spec.domains.values import Scalar

Scale = Literal["linear", "log", "category"]
WIDE = 8.0  # where the largest listed value is this many times the smallest, the scale is log


def scale_of_domain(domain: Domain) -> Scale:
    """The scale of a swept name; names of bundles, and values that are no numbers, have none."""
    if isinstance(domain, Grid | Choice):
        numbers = None if domain.is_bundled else numbers_of(domain.values())
        return "category" if numbers is None else scale_of(numbers)
    return "log" if isinstance(domain, LogRange) else "linear"


def require_on_scale(scale: Scale, value: Scalar) -> None:
    """
    Raises:
        ValueError: the scale has no place for the value.
    """
    if scale != "category" and require_number(value) <= 0 and scale == "log":
        raise ValueError(f"must be above 0 on a log scale, got {value!r}")


def numbers_of(values: Sequence[Scalar]) -> list[float] | None:
    """The values in ascending order; None if one of them is no number, or there is none."""
    numbers = sorted(v for v in values if isinstance(v, int | float) and not isinstance(v, bool))
    return numbers if numbers and len(numbers) == len(values) else None


def scale_of(numbers: Sequence[float]) -> Scale:
    """The scale on which listed numbers (in ascending order) are meant: the one on which they are
    spaced more evenly; numbers that are far apart are meant on a log scale."""
    if len(numbers) < 2 or numbers[0] <= 0:
        return "linear"
    if numbers[-1] / numbers[0] >= WIDE or len(numbers) == 2:
        return "log" if numbers[-1] / numbers[0] >= 2 else "linear"
    gaps = [after - before for before, after in pairwise(numbers)]
    ratios = [after / before for before, after in pairwise(numbers)]
    return "log" if _unevenness(ratios) < _unevenness(gaps) else "linear"


def _unevenness(gaps: Sequence[float]) -> float:
    return statistics.pstdev(gaps) / statistics.mean(gaps)
