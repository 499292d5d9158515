"""Waiting for what another process does: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import Protocol


class Ends(Protocol):
    """A process, as a `subprocess.Popen`."""

    def poll(self) -> int | None: ...


def wait_until(process: Ends, holds: Callable[[], bool]) -> None:
    while not holds():
        assert process.poll() is None, "over before its time"
        time.sleep(0.02)  # between two looks at the condition
