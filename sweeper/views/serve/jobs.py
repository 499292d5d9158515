"""What the buttons do: commands of the command line, each in a process of its own, which outlives
the server."""

import os
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder

SHOWN_JOBS = 4  # of each sweep, the newest
SHOWN_BYTES = 8_000  # of what each says, the last
MOST_TRIALS = 1_000_000


def arguments(folder: RunFolder, asked: Mapping[str, object]) -> list[str]:
    """What is typed behind `python -m sweeper` for what was asked.

    Raises:
        RunFolderError: it is none of the buttons, or a field is not right.
    """
    path = os.path.abspath(folder.path)  # whatever `runs/` there is
    match asked.get("action"):
        case "stop":
            return ["stop", path]
        case "stop trial":
            return ["stop", path, _digits(asked.get("trial"), "the id of a trial, as 0003")]
        case "resume":
            return ["resume", path]
        case "finals":
            return ["resume", path, "--finals"]
        case "more trials":
            number = _digits(asked.get("number"), "how many trials in all, as 40")
            if not 1 <= int(number) <= MOST_TRIALS:
                raise RunFolderError(
                    f"must be from 1 to {MOST_TRIALS:,} trials in all, got {number}"
                )
            return ["resume", path, "--num-trials", number]
    raise RunFolderError(f"no button is called {asked.get('action')!r}")


def _digits(given: object, what: str) -> str:
    text = str(given).strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise RunFolderError(f"must be {what}, got {text[:40]!r}")
    return text


class Job:
    """A command at work. What it says goes to a file without a name, which lasts as long as either
    process: it never meets a closed pipe."""

    def __init__(self, typed: list[str]) -> None:
        self.command = "python -m sweeper " + " ".join(typed)
        self.began = datetime.now().astimezone()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the job is shown
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sweeper", *typed],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def shown(self) -> dict[str, object]:
        code = self.process.poll()
        # Not from its end as `seek` has it: the place in the file is shared with the process.
        whole = self._size()
        start = max(0, whole - SHOWN_BYTES)
        text = os.pread(self._output.fileno(), whole - start, start)
        return {
            "command": self.command,
            "began": f"{self.began:%H:%M:%S}",
            "exit_code": code,
            "said": text.decode("utf-8", errors="replace"),
        }

    def _size(self) -> int:
        return os.fstat(self._output.fileno()).st_size


class Jobs:
    """The jobs of each sweep."""

    def __init__(self) -> None:
        self._of: dict[str, deque[Job]] = {}

    def start(self, folder: RunFolder, asked: Mapping[str, object]) -> Job:
        """
        Raises:
            RunFolderError: as `arguments`.
        """
        job = Job(arguments(folder, asked))
        self._of.setdefault(folder.name, deque(maxlen=SHOWN_JOBS)).append(job)
        return job

    def shown(self, name: str) -> list[dict[str, object]]:
        """The newest first."""
        return [job.shown() for job in reversed(self._of.get(name, ()))]
