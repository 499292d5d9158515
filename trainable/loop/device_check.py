"""Whether a device can be used here, asked without torch: a driver starts in a blink."""

import subprocess
import sys

from trainable.config import require_device_name
from trainable.errors import DeviceError

WITHOUT_ASKING = ("auto", "cpu")  # every machine has these


def require_usable(device: str) -> None:
    """Refuse a device that this machine lacks. Where a GPU is meant, a process of its own asks
    torch, which takes seconds.

    Raises:
        ConfigError: no device has such a name.
        DeviceError: it is not on this machine, or cannot be used.
    """
    require_device_name(device)
    if device in WITHOUT_ASKING:
        return
    asked = subprocess.run(
        [sys.executable, "-m", "trainable.loop.device", device],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DeviceError(f"device: {device} cannot be asked for here ({reason})")
    if problem := asked.stdout.strip():
        raise DeviceError(problem)
