"""The sweeps of a folder: the one of a name, the newest, all of them."""

from collections.abc import Callable, Collection
from pathlib import Path

from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder, no_journal, reached
from sweeper.record.stores.places import address_of, shown
from trainable.settings import nearest

MAX_NAMED = 10  # of the sweeps that there are, in a message


def find_run_folder(runs: Path, name: str) -> RunFolder:
    """The sweep of this name under `runs`, or at this path.

    Raises:
        RunFolderError: there is none; the message names the nearest.
    """
    for path in (runs / name, Path(name)):
        folder = RunFolder(path)
        with reached(path.parent):
            folder.store.pull()
        if _is_file(folder.journal) or _is_file(folder.results):  # what is left of one counts
            return folder
        if _is_file(folder.spec):
            raise no_journal(folder)
    known = [folder.name for folder in list_run_folders(runs)]
    hint = nearest(name, known) or _there_are(known, runs)
    raise RunFolderError(f"{shown(runs)}/{name}: no sweep there{hint}")


def newest_run_folder(runs: Path) -> RunFolder:
    """The sweep under `runs` to whose journal the last event of all was added.

    Raises:
        RunFolderError: there is none.
    """
    if not (folders := [f for f in list_run_folders(runs) if f.journal.is_file()]):
        raise RunFolderError(f"{shown(runs)}: no sweeps there yet; start one: make sweep")
    return folders[-1]


def _is_file(path: Path) -> bool:
    """
    Raises:
        RunFolderError: the system does not say: the name is too long, the folder is another's.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read ({error.strerror})") from None


def _there_are(known: list[str], runs: Path) -> str:
    if not known:
        return f"; {runs}/ has none (another folder: --runs)"
    newest = known[-MAX_NAMED:]
    more = len(known) - len(newest)
    return f"; there are: {', '.join(newest)}" + (f" and {more} more" if more else "")


def list_run_folders(
    runs: Path,
    known: Collection[str] = (),
    unread: Callable[[str, RunFolderError], None] | None = None,
) -> list[RunFolder]:
    """Every sweep under `runs`, oldest first; what is left of one counts.

    Args:
        known: Names of which nothing new is to be brought here.
        unread: Is told of a sweep in a bucket that cannot be read, in place of an error.
    """
    if _is_file(runs):
        return []
    if (address := address_of(runs)) is not None:
        from sweeper.record.stores.in_bucket import pull_all  # a disk needs none of it

        with reached(runs):
            pull_all(runs, address, known, unread)
    names, changed = RunFolder(Path("*")), dict[Path, float]()
    for record in (*runs.glob(str(names.journal)), *runs.glob(str(names.results))):
        if record.is_file():
            status = record.stat()
            when = status.st_ctime if address is None else status.st_mtime
            changed.setdefault(record.parent, when)
    return [RunFolder(path) for path in sorted(changed, key=changed.__getitem__)]


def list_with_unread(runs: Path) -> list[tuple[RunFolder, RunFolderError | None]]:
    """Every sweep under `runs`, oldest first; before them those of a bucket that cannot be read,
    with the reason."""
    unread: dict[str, RunFolderError] = {}
    folders = list_run_folders(runs, unread=unread.__setitem__)
    first = [(RunFolder(runs / name), unread[name]) for name in sorted(unread)]
    return [*first, *((folder, None) for folder in folders if folder.name not in unread)]
