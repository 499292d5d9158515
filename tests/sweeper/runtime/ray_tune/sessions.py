"""Drivers in processes of their own, to be killed. Each is forked from one that has imported what
all of them need: to import Ray and Tune takes half of what a driver does in these tests."""

import multiprocessing
import os
import signal
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO

from ray._raylet import Config

from tests.sweeper.runtime.ray_tune.driver import ROOT, main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([main.__module__, "sweeper.runtime.ray_tune.runner", "pytest"])


class Driver:
    """As a `subprocess.Popen` in a session of its own."""

    def __init__(self, arguments: list[str], stderr: Path | None) -> None:
        what = (arguments, dict(os.environ), stderr)
        self._process = FORKS.Process(target=_begin, args=what, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """To its children too, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def session_of(trainer: str, *arguments: object, stderr: IO[str] | None = None) -> Driver:
    """`run FILE RUNS` or `resume NAME RUNS`."""
    said = None if stderr is None else Path(stderr.name)
    return Driver([*map(str, arguments), trainer], said)


def _begin(arguments: list[str], environment: dict[str, str], stderr: Path | None) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    Config.initialize("")  # Ray has read the environment of who is forked
    os.chdir(ROOT)
    if stderr is not None:
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_APPEND), 2)
    try:
        main(*arguments)
    except KeyboardInterrupt:  # Python ends so by itself; here it would be with exit code 1
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
