"""Drivers in processes of their own, to be signalled and killed. Who is told to end does so as
Python does; to be killed at random a driver may be forked from one that has imported what all of
them need: to import Ray and Tune takes half of what a driver does in these tests. So may one that
ends by itself, on a cluster that outlives it."""

import multiprocessing
import os
import signal
import subprocess
import sys
from typing import IO

from ray._raylet import Config

import sweeper.runtime.ray_tune.cluster  # noqa: F401  # sets in the environment what Ray reads of it
from tests.sweeper.runtime.ray_tune.driver import ROOT, main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([main.__module__, "sweeper.runtime.ray_tune.runner", "pytest"])


class Driver:
    """`python -m`, the head of a session of its own. To signal one that has ended is an error: a
    test in which that may be catches it."""

    def __init__(self, arguments: list[str], stderr: IO[str] | None = None) -> None:
        command = [sys.executable, "-m", main.__module__, *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=stderr)
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self) -> int:
        return self._process.wait()

    def send_signal(self, number: int) -> None:
        """
        Raises:
            ProcessLookupError: it has ended.
        """
        self._require_running()
        os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """To its children too, as a terminal does.

        Raises:
            ProcessLookupError: it has ended.
        """
        self._require_running()
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """
        Raises:
            ProcessLookupError: it has ended.
        """
        self.send_signal(signal.SIGKILL)

    def _require_running(self) -> None:
        """The kernel takes signals for one that has ended and that nobody has asked for yet."""
        if (code := self.poll()) is not None:
            raise ProcessLookupError(f"the driver has ended by itself, with {code}")


class Fork(Driver):
    """Ends without what Python does at its end, as to end a Ray of its own: for one that is to be
    killed, or on a cluster that outlives it."""

    def __init__(self, arguments: list[str]) -> None:
        what = (arguments, dict(os.environ))
        self._fork = FORKS.Process(target=_begin, args=what, daemon=True)
        self._fork.start()
        assert self._fork.pid is not None
        self.pid = self._fork.pid

    def poll(self) -> int | None:
        return self._fork.exitcode

    def wait(self) -> int:
        self._fork.join()
        assert self._fork.exitcode is not None
        return self._fork.exitcode


def session_of(trainer: str, *arguments: object, stderr: IO[str] | None = None) -> Driver:
    """`run FILE RUNS` or `resume NAME RUNS`."""
    return Driver([*map(str, arguments), trainer], stderr)


def forked_session_of(trainer: str, *arguments: object) -> Driver:
    """The same, to be killed, or on a cluster that outlives it."""
    return Fork([*map(str, arguments), trainer])


def _begin(arguments: list[str], environment: dict[str, str]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    Config.initialize("")  # Ray has read the environment of who is forked
    os.chdir(ROOT)
    main(*arguments)
