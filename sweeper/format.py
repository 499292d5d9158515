"""Numbers for people: counts, durations, swept values."""

import json

from sweeper.space import Scalar


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


def size(num_bytes: float | None) -> str:
    """1234567 bytes as `1.2 MB`."""
    if num_bytes is None:
        return "-"
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if num_bytes >= limit * 0.99995:  # that rounds up to the unit
            return f"{num_bytes / limit:.1f} {unit}"
    return f"{num_bytes:.0f} B"


def number(value: float | None, digits: int = 4) -> str:
    """A measured value with fixed decimals; `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def swept(value: Scalar) -> str:
    """A swept value, short, as in the file: 0.0012, 3e-05, small, true, null."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
