"""Weights & Biases beside a sweep, and after it. Nothing of wandb runs in the driver's process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from rich.console import Console

from sweeper.errors import WandbError
from sweeper.run_folder import RunFolder
from sweeper.sweep import Metrics, Sweep, Trial
from sweeper.wandb_mirror import FINISH_SECONDS, Mode, WandbMirror, is_synced, offline_parts

START_SECONDS = 5.0  # that the process may need on a busy machine
PATHS_AT_ONCE = 500  # of a command line


def require_login(what: str) -> None:
    """Refuse to upload without a key before anything starts; never asks for one.

    Args:
        what: The option or command that uploads, for the message.

    Raises:
        WandbError: there is no key, or no server that takes it.
    """
    wandb: Any = import_module("wandb")  # a second to import, and seldom wanted
    instead = "log to files with --wandb offline (`python -m sweeper wandb-sync NAME` uploads them)"
    os.environ.setdefault("WANDB_SILENT", "true")
    try:
        logged_in = wandb.login(prompt=False)
    except wandb.errors.Error as error:
        problem = str(error).splitlines()[0]
        raise WandbError(f"{what}: {problem}; try later, or {instead}") from None
    if not logged_in:
        raise WandbError(f"{what}: no API key; run `wandb login`, set WANDB_API_KEY, or {instead}")


class WandbProcess:
    """Has a running sweep logged (a `Watcher`) by a process that follows the run folder."""

    def __init__(self, folder: RunFolder, mode: Mode) -> None:
        self.folder = folder
        self._patience = FINISH_SECONDS[mode] + START_SECONDS
        folder.wandb.mkdir(exist_ok=True)
        with folder.wandb_log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sweeper.wandb_mirror", str(folder.path), mode],
                stdin=subprocess.PIPE,  # its end is the sign to finish: also when we are killed
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is not for it
            )

    def started(self, trial: Trial) -> None: ...

    def reported(self, trial: Trial, reports: list[Metrics]) -> None: ...

    def ended(self, trial: Trial) -> None: ...

    def refresh(self, sweep: Sweep) -> None:
        if self._process.poll() is not None:
            self._require_success()

    def close(self, sweep: Sweep) -> None:
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
        said = self.folder.wandb_log.read_text(errors="replace").strip().splitlines()
        raise WandbError(
            f"{said[-1] if said else 'ended early'}; "
            f"the rest can be uploaded later: python -m sweeper wandb-sync {self.folder.name}"
        )


def wandb_sync(folder: RunFolder, console: Console) -> None:
    """Upload what Weights & Biases does not have of a sweep yet, logged to files or not.

    Raises:
        WandbError: there is no key, or the server does not take it all.
        RunFolderError: the sweep is running.
    """
    with folder.locked():
        require_login("wandb-sync")
        parts = [str(part.parent) for part in offline_parts(folder) if not is_synced(part)]
        for start in range(0, len(parts), PATHS_AT_ONCE):
            _upload(parts[start : start + PATHS_AT_ONCE])
        mirror = WandbMirror(folder, "online")
        mirror.update(last=True)
    if mirror.incomplete():
        raise WandbError(f"wandb-sync: {mirror.problem}; run it again: it goes on where it was")
    news = "now" if parts or mirror.opened else "already: there was nothing to upload"
    console.print(f"{folder.path}/: all of it is on Weights & Biases {news}.")


def _upload(parts: list[str]) -> None:
    command = [sys.executable, "-m", "wandb", "sync", *parts]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise WandbError(f"wandb-sync: `wandb sync` failed:\n{result.stderr.strip()}")
