"""Sizes as a file states them."""

from typing import Any

import pytest

from sweeper.spec.sizes import parse_size


@pytest.mark.parametrize(
    ("stated", "num_bytes"),
    [("20GB", 20 * 10**9), ("500 MB", 500 * 10**6), ("1.5GiB", 3 * 2**29), ("0.1kB", 100),
     ("7B", 7), ("1TiB", 2**40), (12, 12), (None, None), (1.5, 1.5)],
)  # fmt: skip
def test_parse_size(stated: Any, num_bytes: Any) -> None:
    assert parse_size(stated) == num_bytes


@pytest.mark.parametrize("stated", ["", "20", "GB", "-1GB", "1e3GB", "20 gigs", "1.GB", "1GB\n"])
def test_what_is_no_size_is_refused(stated: str) -> None:
    with pytest.raises(ValueError, match=r"must be a size, as 20GB, 500MB or 1\.5GiB, or"):
        parse_size(stated)
