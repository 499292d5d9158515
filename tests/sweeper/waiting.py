"""Waiting for what another process does: for a condition, never for a time."""

import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_until(process: "subprocess.Popen[Any]", holds: Callable[[], bool]) -> None:
    while not holds():
        assert process.poll() is None, "over before its time"
        time.sleep(0.005)  # between two looks at the condition
