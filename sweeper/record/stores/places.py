"""What `--runs` names: a folder, or a prefix of a bucket, whose sweeps have working copies here."""

import hashlib
import os
import re
from pathlib import Path

from sweeper.errors import RunFolderError

ADDRESS_FILE = ".bucket"  # in the folder of the working copies
SCHEMES = ("s3", "gs", "abfs", "abfss", "az", "file")


def runs_folder(stated: str | Path) -> Path:
    """The folder of the run folders. For an address it is one of this machine's cache.

    Raises:
        RunFolderError: it is an address of nothing that we know.
    """
    scheme, is_address, rest = str(stated).partition("://")
    if not is_address:
        return Path(stated)
    if scheme not in SCHEMES or not rest.strip("/"):
        raise RunFolderError(
            f"--runs: must be a folder, or an address as s3://BUCKET/PREFIX (also gs:// and "
            f"abfs://), got {str(stated)!r}"
        )
    host = rest.partition("/")[0]
    if ":" in host or ("@" in host and not scheme.startswith("abfs")):
        raise RunFolderError(
            f"--runs: an address ({scheme}://…) must hold no keys and no port; "
            "both come from the environment (docs/cluster.md)"
        )
    address = str(stated).rstrip("/")
    # The same name is another bucket at another endpoint.
    whole = f"{os.environ.get('AWS_ENDPOINT_URL', '')} {address}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9]+", "-", address)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sweeper" / "runs" / f"{name}-{digest}"
    try:
        settle(folder, address)
    except OSError as error:
        raise RunFolderError(
            f"{folder}: cannot be written ({error.strerror}), and is where {address} is worked on; "
            "another place: XDG_CACHE_HOME"
        ) from None
    return folder


def settle(runs: Path, address: str) -> None:
    """Make the folder of the working copies of what is there."""
    runs.mkdir(parents=True, exist_ok=True)
    if address_of(runs) != address:
        (runs / ADDRESS_FILE).write_text(address, encoding="utf-8")


def address_of(runs: Path) -> str | None:
    """The bucket's address, if this is the folder of its working copies."""
    try:
        return (runs / ADDRESS_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def shown(runs: Path) -> str:
    """As people know it."""
    return address_of(runs) or str(runs)
