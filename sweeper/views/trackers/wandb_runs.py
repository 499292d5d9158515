"""Weights & Biases during a sweep and after it. wandb never runs in the driver's process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from rich.console import Console

from sweeper.errors import WandbError
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.watcher import Watcher
from sweeper.views.trackers.wandb_login import NO_KEY
from sweeper.views.trackers.wandb_mirror import (
    FINISH_SECONDS,
    NOTHING_NEW,
    Mode,
    is_synced,
    offline_parts,
)

MIRROR = "sweeper.views.trackers.wandb_mirror"  # run with `python -m`
LOGIN_SECONDS = 60.0  # for a key to be taken; wandb itself tries a dead server for half a minute
START_SECONDS = 5.0  # that the process may need on a busy machine
PATHS_AT_ONCE = 500  # of a command line


def require_login(what: str) -> None:
    """Refuse to upload without a key, before anything starts. Never asks for one.

    Args:
        what: The option or command that uploads, for the message.

    Raises:
        WandbError: there is no key, or no server that takes it.
    """
    code, said = _ask("sweeper.views.trackers.wandb_login", [], LOGIN_SECONDS)
    if code == 0:
        return
    instead = "log to files with --wandb offline (`python -m sweeper wandb-sync NAME` uploads them)"
    if code == NO_KEY:
        raise WandbError(f"{what}: no API key; run `wandb login`, set WANDB_API_KEY, or {instead}")
    if code is None:
        said = [f"no answer from Weights & Biases within {LOGIN_SECONDS:.0f} s"]
    raise WandbError(f"{what}: {said[-1] if said else 'no answer'}; try later, or {instead}")


def _ask(module: str, arguments: list[str], seconds: float | None) -> tuple[int | None, list[str]]:
    """Run a module in a process of its own. Returns its exit code (None if it took too long) and
    what it said.

    Everything that it has started is ended with it: wandb's service may hang when a server does.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        code = process.poll()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    said, _ = process.communicate()
    return code, said.strip().splitlines()


class WandbProcess(Watcher):
    """A process beside a running sweep that logs it from its run folder."""

    def __init__(self, folder: RunFolder, mode: Mode) -> None:
        self.folder = folder
        self._patience = FINISH_SECONDS[mode] + START_SECONDS
        folder.wandb.mkdir(exist_ok=True)
        with folder.wandb_log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    MIRROR,
                    str(folder.path),
                    mode,
                ],
                stdin=subprocess.PIPE,  # its end is the sign to finish: also when we are killed
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is not for it
            )

    def refresh(self, state: SweepState) -> None:
        if self._process.poll() is not None:
            self._require_success()

    def close(self, state: SweepState) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience)
        with suppress(ProcessLookupError):  # and whatever it has started
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._require_success()

    def _require_success(self) -> None:
        if self._process.returncode == 0:
            return
        said = (
            self.folder.wandb_log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        )
        raise WandbError(
            f"{said[-1] if said else 'ended early'}; "
            f"the rest can be uploaded later: python -m sweeper wandb-sync {self.folder.called}"
        )


def wandb_sync(folder: RunFolder, console: Console) -> None:
    """Upload what Weights & Biases does not have of a sweep, whether it was logged offline or not.

    Raises:
        WandbError: there is no key, or the server does not take everything.
        RunFolderError: the sweep is running.
    """
    with folder.locked():
        require_login("wandb-sync")
        parts = [str(part.parent) for part in offline_parts(folder) if not is_synced(part)]
        for start in range(0, len(parts), PATHS_AT_ONCE):
            _upload(parts[start : start + PATHS_AT_ONCE])
        code, said = _ask(MIRROR, [str(folder.path), "sync"], seconds=None)
    last = said[-1] if said else "ended early"
    if code != 0:
        raise WandbError(f"wandb-sync: {last}; run it again: it goes on where it was")
    news = "now" if parts or last != NOTHING_NEW else "already: there was nothing to upload"
    console.print(f"{folder.path}/: all of it is on Weights & Biases {news}.")


def _upload(parts: list[str]) -> None:
    command = [sys.executable, "-m", "wandb", "sync", *parts]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if result.returncode != 0:
        raise WandbError(f"wandb-sync: `wandb sync` failed:\n{result.stderr.strip()}")
