"""For the record: the hardware that a driver runs on, and the state of its code."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from sweeper.record.state.events import Commit, Hardware

PATIENCE_SECONDS = 5  # with git in a large tree, with a GPU driver that hangs


@cache  # of a process, once
def hardware() -> Hardware:
    query = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return Hardware(
        cpu=_cpu_name(),
        cpus=os.cpu_count(),
        memory_bytes=_memory_bytes(),
        gpus=tuple((query or "").splitlines()),
        system=platform.platform(),
    )


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine() or None)


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


@cache
def commit() -> Commit | None:
    """The git commit of the working folder, and whether it has changes; None if it is in no
    tree."""
    name = _output("git", "rev-parse", "HEAD")
    if name is None:
        return None
    changes = _output("git", "status", "--porcelain", "--untracked-files=no")
    return Commit(commit=name, dirty=None if changes is None else bool(changes))


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
