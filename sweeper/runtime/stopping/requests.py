"""What others ask of a driver, as files in the run folder. Whoever can write there can ask, from
any machine. A file goes once what it asks for is done, or is in the journal."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder, write_json
from sweeper.typed_json import read_json

LOOK_EVERY_SECONDS = 0.5


def request_stop(folder: RunFolder, session: int) -> None:
    """Ask the driver of this session of the sweep (the first is 1) to end. No later session is
    meant: it was begun by somebody who wanted it.

    Raises:
        RunFolderError: nothing can be written in the folder.
    """
    _write(folder, folder.stop_request, {"session": session})


def request_trial_stop(folder: RunFolder, trial_id: str) -> None:
    """Ask for the end of a trial. If the driver is killed before it has heard of that, the next
    one does it.

    Raises:
        RunFolderError: as in `request_stop`.
    """
    _write(folder, folder.trial_stop_request(trial_id), {"trial": trial_id})


def _write(folder: RunFolder, path: Path, asked: dict[str, object]) -> None:
    try:
        write_json(path, asked)
        folder.store.put(path)
    except OSError as error:
        raise RunFolderError(
            f"{path}: cannot be written ({error.strerror}), so the sweep cannot be asked; on the "
            "machine and under the name that runs it, Ctrl-C or SIGTERM stop it too"
        ) from None


class StopRequests:
    """Looks for requests while a sweep runs, and carries them out."""

    def __init__(self, sweep: Sweep, end: Callable[[], None], say: Callable[[str], None]) -> None:
        """
        Args:
            end: Ends this session of the sweep, as SIGTERM does.
        """
        self.sweep = sweep
        self.folder = sweep.folder
        self.end = end
        self.say = say
        self._due = 0.0

    def look(self) -> None:
        """Called several times a second."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK_EVERY_SECONDS
        # The folder is listed rather than asked for a file: over a network, that a file is not
        # there is remembered for a while.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            for path in sorted(self.folder.requests.glob("*.json")):
                self._carry_out(path)

    def _carry_out(self, path: Path) -> None:
        asked = _read(path)
        if path == self.folder.stop_request:
            if asked.get("session") == len(self.sweep.state.sessions):
                self.say("Stopping, as `python -m sweeper stop` asks: what runs is checkpointed.")
                self.end()
        elif (trial := self.sweep.trials.get(str(asked.get("trial")))) is not None:
            self.say(f"Trial {trial.trial_id}: `python -m sweeper stop` asks for its end.")
            self.sweep.stop_by_hand(trial.trial_id)
        with contextlib.suppress(OSError):
            path.unlink()


def _read(path: Path) -> dict[str, object]:
    """What a request asks; nothing where it is none."""
    try:
        return read_json(dict[str, object], path.read_bytes())
    except (OSError, ValueError):
        return {}
