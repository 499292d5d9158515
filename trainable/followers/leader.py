"""The process that leads a run, and starts the others on this machine.

Such a follower is told its run in a line on its standard input, and lives as long as that is open:
it ends with the leader, however that has ended. It says on its standard output that it is ready, or
why it cannot go on.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import torch
import torch.distributed as dist

from trainable.config import TrainConfig
from trainable.errors import ProcessLostError
from trainable.loop.processes import SILENT, Together
from trainable.loop.training import Trainer

READY = "ready"
MEETING = "meeting"
# Nothing is to be reached from elsewhere, and a machine's name may have no address.
ON_THIS_MACHINE = {"GLOO_SOCKET_IFNAME": "lo"} if Path("/sys/class/net/lo").exists() else {}
JOINED = timedelta(minutes=1)  # within which those that are ready have found one another
NOTICED_SECONDS = 5.0  # after the end of a follower within which the leader meets it by itself
PACKAGES = str(Path(__file__).parents[2])  # where a follower finds this package


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a follower is told of the run, beside its settings."""

    rank: int
    size: int
    meeting: str  # a file that they find each other by
    resume_from: str | None
    num_threads: int
    micro_batch_size: int | None


def start_trainer(
    config: TrainConfig,
    *,
    processes: int,
    resume_from: Path | None = None,
    num_threads: int | None = None,
    micro_batch_size: int | None = None,
) -> Trainer:
    """A run that this process leads, and closes in the end.

    Args:
        processes: how many of this machine share it; the others are started.
        num_threads: of each of them.

    Raises:
        UserError: as `Trainer`, here or in another process.
    """
    own: dict[str, Any] = {"resume_from": resume_from, "micro_batch_size": micro_batch_size}
    if processes == 1:
        return Trainer(config, num_threads=num_threads, **own)
    config.rows_a_process(processes)
    num_threads = num_threads or max(1, torch.get_num_threads() // processes)
    followers = Followers(processes)
    try:
        followers.start(config, num_threads=num_threads, **own)
        return Trainer(config, num_threads=num_threads, processes=followers, **own)
    except BaseException:
        followers.close()
        raise


class Followers(Together):
    """Processes that this one has started, and leads."""

    def __init__(self, size: int) -> None:
        super().__init__(0, size, 0, size)
        self._folder = Path(tempfile.mkdtemp(prefix="trainable-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._is_met = self._on_gpu = False  # the group is made; of GPUs

    def start(
        self,
        config: TrainConfig,
        *,
        resume_from: Path | None,
        num_threads: int,
        micro_batch_size: int | None,
    ) -> None:
        paths = [PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**ON_THIS_MACHINE, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        for rank in range(1, self.size):
            process = subprocess.Popen(
                [sys.executable, "-m", "trainable.followers.follower"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Ctrl-C is the leader's to answer
            )
            self._processes.append(process)
            role = Role(
                rank=rank,
                size=self.size,
                meeting=str(self._folder / MEETING),
                resume_from=None if resume_from is None else str(resume_from),
                num_threads=num_threads,
                micro_batch_size=micro_batch_size,
            )
            told = {"config": config.to_dict(), "role": asdict(role)}
            stdin = _pipe(process.stdin)
            stdin.write(json.dumps(told).encode() + b"\n")
            stdin.flush()

    def meet(self, device: torch.device) -> None:
        self._wait_until_ready()
        self._on_gpu = device.type == "cuda"
        with _unless_set(ON_THIS_MACHINE):
            self._join(device, self._folder / MEETING, within=JOINED)
        self._is_met = True
        if self._on_gpu:  # where the leader would wait for it, whatever has happened
            for rank, process in enumerate(self._processes, start=1):
                threading.Thread(target=self._watch, args=(rank, process), daemon=True).start()

    def _wait_until_ready(self) -> None:
        waiting = {_pipe(process.stdout): rank for rank, process in enumerate(self._processes, 1)}
        while waiting:
            spoken, _, _ = select.select(list(waiting), [], [], SILENT.total_seconds())
            if not spoken:
                raise ProcessLostError(super()._lost(RuntimeError("it does not begin")))
            for stream in spoken:
                rank = waiting.pop(stream)
                said = stream.readline().decode(errors="replace")
                if said.strip() != READY:
                    raise ProcessLostError(self._ended(rank, self._processes[rank - 1], said))
        for rank, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                raise ProcessLostError(self._ended(rank, process))

    def _watch(self, rank: int, process: "subprocess.Popen[bytes]") -> None:
        process.wait()
        time.sleep(NOTICED_SECONDS)
        if self._is_met and not self._is_lost:
            print(f"error: {self._ended(rank, process)}", file=sys.stderr, flush=True)
            os._exit(2)

    def _lost(self, error: RuntimeError) -> str:
        deadline = time.monotonic() + NOTICED_SECONDS
        while time.monotonic() < deadline:
            for rank, process in enumerate(self._processes, start=1):
                if process.poll() is not None:
                    return self._ended(rank, process)
            time.sleep(0.01)
        return super()._lost(error)

    def _ended(self, rank: int, process: "subprocess.Popen[bytes]", said: str = "") -> str:
        """How a follower has ended, in its own words where there are any."""
        said += _pipe(process.stdout).read().decode(errors="replace")
        code = process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        words = f": {said.strip()}" if said.strip() else ""
        return f"process {rank + 1} of {self.size} has ended ({how}){words}"

    def close(self) -> None:
        # GPUs' group waits for the others, after a loss perhaps for ever.
        if self._on_gpu and self._is_met and not self._is_lost:
            dist.destroy_process_group()
        self._is_met = False
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes = []
        if dist.is_initialized() and not self._on_gpu:  # so that this process can lead again
            dist.destroy_process_group()
        self._remove()


@contextmanager
def _unless_set(variables: dict[str, str]) -> Iterator[None]:
    """These in the environment, for as long as it takes, where the user has no other."""
    added = variables.keys() - os.environ.keys()
    os.environ.update({name: variables[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "asked for above"
    return stream
