"""Addresses of buckets, and where this machine keeps what it has of them."""

import hashlib
import os
import re
from pathlib import Path

SCHEMES = ("s3", "gs", "abfs", "abfss", "az", "file")


def is_address(stated: str) -> bool:
    return "://" in stated


def problem_of(address: str) -> str | None:
    """Why this cannot be the address of anything that we know."""
    scheme, _, rest = address.partition("://")
    if scheme not in SCHEMES or not rest.strip("/"):
        return (
            f"must be a folder, or an address as s3://BUCKET/PREFIX (also gs:// and abfs://), "
            f"got {address!r}"
        )
    host = rest.partition("/")[0]
    if ":" in host or ("@" in host and not scheme.startswith("abfs")):
        return (
            f"an address ({scheme}://…) must hold no keys and no port; both come from the "
            "environment (docs/cluster.md)"
        )
    return None


def cache_of(address: str, kind: str) -> Path:
    """The folder of this machine for what is there.

    Args:
        kind: What it is, as `runs`.
    """
    # The same name is another bucket at another endpoint.
    whole = f"{os.environ.get('AWS_ENDPOINT_URL', '')} {address}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9]+", "-", address)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sweeper" / kind / f"{name}-{digest}"
