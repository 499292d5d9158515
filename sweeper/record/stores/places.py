"""What `--runs` names: a folder, or a prefix of a bucket, whose sweeps have working copies here."""

from pathlib import Path

from sweeper.errors import RunFolderError
from sweeper.record.buckets.addresses import cache_of, is_address, problem_of

ADDRESS_FILE = ".bucket"  # in the folder of the working copies


def runs_folder(stated: str | Path) -> Path:
    """The folder of the run folders. For an address it is one of this machine's cache.

    Raises:
        RunFolderError: it is an address of nothing that we know.
    """
    if not is_address(str(stated)):
        return Path(stated)
    if (problem := problem_of(str(stated))) is not None:
        raise RunFolderError(f"--runs: {problem}")
    address = str(stated).rstrip("/")
    folder = cache_of(address, "runs")
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
