"""Sizes in bytes, as a file states them: `20GB`, `1.5GiB`."""

import re
from fractions import Fraction

UNITS = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
SIZE_PATTERN = rf"^([0-9]+(?:\.[0-9]+)?) ?({'|'.join(UNITS)})$"


def parse_size(stated: object) -> object:
    """Bytes from `20GB`, `500 MB`, `1.5GiB`. What is not text is returned as it is.

    Raises:
        ValueError: the text is no size.
    """
    if not isinstance(stated, str):
        return stated
    if (match := re.fullmatch(SIZE_PATTERN, stated)) is None:
        raise ValueError(
            f"must be a size, as 20GB, 500MB or 1.5GiB, or a whole number of bytes, got {stated!r}"
        )
    return int(Fraction(match[1]) * UNITS[match[2]])
