"""Measures how busy the driver's machine is while a sweep runs."""

import math
import shutil
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from statistics import fmean

from sweeper.record.exhibits.load import Load, LoadFile
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.watcher import Watcher

SOONEST_SECONDS = 2.0
LATEST_SECONDS = 60.0
LAST_SECONDS = 1.0  # that a tool which was killed may take to end
SHARE = 0.005  # of the time so far: a day has some 1,800 lines
GPUS = "nvidia-smi"
ASKED = ["--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"]


class LoadMeter(Watcher):
    """Adds a line to the folder's file, the more rarely the longer the session lasts."""

    def __init__(self, folder: RunFolder) -> None:
        self._path = folder.load
        self._file: LoadFile | None = None  # not opened here, where nobody guards what fails
        self._gpus = Gpus()
        self._began = self._measured = 0.0

    def refresh(self, state: SweepState) -> None:
        import psutil  # Ray brings it: it is there once that is imported

        now = time.monotonic()
        if self._file is None:
            self._file = LoadFile(self._path)
            self._began = self._measured = now
            psutil.cpu_percent()  # the next one is about the time from here
            return
        every = min(LATEST_SECONDS, max(SOONEST_SECONDS, SHARE * (now - self._began)))
        if now - self._measured < every:
            return
        self._measured = now
        gpus, gpu_memory = self._gpus.newest()
        load = Load(
            time=datetime.now(UTC),
            processors=psutil.cpu_percent() / 100,
            memory=psutil.virtual_memory().percent / 100,
            gpus=gpus,
            gpu_memory=gpu_memory,
        )
        self._file.append(load)

    def close(self, state: SweepState) -> None:
        self._gpus.close()


class Gpus:
    """What NVIDIA's own tool says. It takes a while to answer, so each answer is to the question
    before: nobody waits for it."""

    def __init__(self) -> None:
        self._command = shutil.which(GPUS)
        self._asked: subprocess.Popen[str] | None = None

    def newest(self) -> tuple[float | None, float | None]:
        """The share that is busy, and that of the memory in use; None where nothing is known."""
        if self._command is None:
            return None, None
        answer = ""
        if self._asked is not None:
            if self._asked.poll() is None:
                return None, None
            answer, _ = self._asked.communicate()
        self._asked = subprocess.Popen(
            [self._command, *ASKED],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        return shares(answer)

    def close(self) -> None:
        if self._asked is not None:
            self._asked.kill()
            with suppress(subprocess.TimeoutExpired):  # it hangs in its driver
                self._asked.communicate(timeout=LAST_SECONDS)


def shares(answer: str) -> tuple[float | None, float | None]:
    """Of the tool's answer, a line a GPU."""
    rows = [[_number(cell) for cell in line.split(",")] for line in answer.splitlines()]
    rows = [row for row in rows if len(row) == 3]
    busy = [row[0] / 100 for row in rows if math.isfinite(row[0])]
    memory = [row[1:] for row in rows if all(map(math.isfinite, row[1:])) and row[2] > 0]
    used, total = sum(row[0] for row in memory), sum(row[1] for row in memory)
    return fmean(busy) if busy else None, used / total if memory else None


def _number(cell: str) -> float:
    """NaN for what the tool does not know, `[N/A]`."""
    try:
        return float(cell)
    except ValueError:
        return math.nan
