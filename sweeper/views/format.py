"""Numbers for people: counts, durations, sizes, swept values."""

import json
import re
from fractions import Fraction
from typing import Any

from sweeper.spec.space import Scalar


def count(number: float | None) -> str:
    """1234567 as `1.2M`."""
    if number is None:
        return "-"
    for limit, unit, least in ((1e9, "B", 999.95e6), (1e6, "M", 999.95e3), (1e3, "k", 999.5)):
        if abs(number) >= least:  # that rounds up to the unit
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def flops(number: float) -> str:
    """2.6e13 as `26.0T`."""
    for limit, unit in ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return count(number)


def duration(seconds: float | None) -> str:
    """3725 as `1h02m`."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


_UNITS = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
SIZE_PATTERN = rf"^([0-9]+(?:\.[0-9]+)?) ?({'|'.join(_UNITS)})$"


def size(num_bytes: float | None) -> str:
    """1234567 bytes as `1.2 MB`."""
    if num_bytes is None:
        return "-"
    for unit in ("TB", "GB", "MB", "kB"):
        if num_bytes >= _UNITS[unit] * 0.99995:  # that rounds up to the unit
            return f"{num_bytes / _UNITS[unit]:.1f} {unit}"
    return f"{num_bytes:.0f} B"


def parse_size(stated: Any) -> Any:
    """Bytes from `20GB`, `500 MB`, `1.5GiB`; what is no text stays as it is.

    Raises:
        ValueError: a text that is no size.
    """
    if not isinstance(stated, str):
        return stated
    if (match := re.fullmatch(SIZE_PATTERN, stated)) is None:
        raise ValueError(
            f"must be a size, as 20GB, 500MB or 1.5GiB, or a whole number of bytes, got {stated!r}"
        )
    return int(Fraction(match[1]) * _UNITS[match[2]])


def headline(error: str) -> str:
    """The line of an error that says most: that which names the exception, below a traceback's
    last frame; else the first one."""
    lines = error.strip().splitlines() or [""]
    frames = [i for i, line in enumerate(lines) if line.startswith('  File "')]
    below = lines[frames[-1] + 1 :] if frames else lines
    return next((line for line in below if not line.startswith(" ")), lines[0])


def number(value: float | None, digits: int = 4) -> str:
    """A measured value with fixed decimals; `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def swept(value: Scalar) -> str:
    """A swept value, short, as in the file: 0.0012, 3e-05, small, true, null."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
