"""The processes that train a run together, as one of them sees them.

Each holds the whole model and takes its rows of every batch; then all add up their gradients, and
take the same step. The first leads: it says what comes next, and the others follow
(`Trainer.follow`).

The gradients are added up after the backward pass, in groups that are always the same.
`torch.nn.parallel.DistributedDataParallel` begins earlier, but groups them anew after its first
step: three processes and more would then round otherwise in a run that was resumed than in one that
went on. And where one of them runs out of memory on the way, the others would wait for it.
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from trainable.config import TrainConfig
from trainable.errors import DeviceError, ProcessesDifferError, ProcessLostError
from trainable.loop.device import resolve_device

SILENT = timedelta(minutes=10)  # after which a process that takes no part counts as lost
ENDLESS = timedelta(days=365)  # followers wait for what comes next as long as the leader lives
GROUP_BYTES = 64 * 2**20  # of gradients that are added up at once, in a copy


class Task(IntEnum):
    """What the leader says comes next."""

    END = 0
    STEP = 1
    EVALUATION = 2


class Processes:
    """This process alone.

    Attributes:
        rank: of this process, from 0, which leads.
        size: how many there are.
        local_rank, local_size: the same among those on this machine.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1
    ) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def rows(self, config: TrainConfig) -> slice:
        """Which of a batch's rows are this process's.

        Raises:
            ConfigError: the batch cannot be divided.
        """
        number = config.rows_a_process(self.size)
        return slice(self.rank * number, (self.rank + 1) * number)

    def device(self, name: str) -> torch.device:
        """The device called `name`: of several processes each has a GPU of its own.

        Raises:
            ConfigError, DeviceError: as `resolve_device`, or there are too few GPUs.
        """
        device = resolve_device(name)
        if device.type == "cpu" or self.size == 1:
            return device
        if device.index is not None:
            raise DeviceError(f"device: {self.size} processes need a GPU each; write cuda")
        if (there := torch.cuda.device_count()) < self.local_size:
            raise DeviceError(
                f"processes: {self.local_size} of them need a GPU each, and there "
                f"{'is' if there == 1 else 'are'} {there}; ask for fewer, or train on the cpu"
            )
        return resolve_device(f"cuda:{self.local_rank}")

    def meet(self, device: torch.device) -> None:
        """Find one another, when each is ready to train."""

    def agree(self, config: TrainConfig, step: int) -> None:
        """
        Raises:
            ProcessesDifferError: another process has other settings, or is at another step.
        """

    def tell(self, task: Task) -> None:
        """Say what comes next, where this process leads."""

    def told(self) -> Task:
        """What comes next, where this process follows."""
        return Task.END

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each by its sum over the processes. They are of one type, on one device."""

    def least(self, number: int) -> int:
        """The least that any process has given."""
        return number

    def close(self) -> None:
        """End what was begun for this run, where this process leads."""


class Together(Processes):
    """Several processes: those of `torchrun`, unless a subclass knows where else they meet."""

    _sums: Any  # the group that adds up
    _commands: Any  # the group that is told what comes next
    _is_lost = False  # another of them

    @classmethod
    def of_torchrun(cls) -> "Together | None":
        """Those that torchrun has started, this one among them; None where it has not."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        try:
            numbers = [int(os.environ[name]) for name in names]
        except (KeyError, ValueError):
            return None
        return cls(*numbers) if numbers[1] > 1 else None

    def meet(self, device: torch.device) -> None:
        self._join(device)

    def _join(
        self,
        device: torch.device,
        meeting: Path | None = None,
        *,
        within: timedelta = SILENT,
    ) -> None:
        """
        Args:
            meeting: a file that they find one another by; None: as torchrun has it.
            within: after which the others count as lost.
        """
        store: Any = None
        if meeting is not None:  # not by a URL, in which torch takes letters literally
            store = dist.FileStore(str(meeting), self.size)  # type: ignore[attr-defined]
            store.set_timeout(within)
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(device)
        with self._noticing_loss():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
                store=store,
                rank=self.rank,
                world_size=self.size,
                timeout=within,
            )
            self._sums = dist.new_group(timeout=SILENT)
            self._commands = dist.new_group(
                backend="gloo", timeout=SILENT if self.leads else ENDLESS
            )

    def agree(self, config: TrainConfig, step: int) -> None:
        settings = zlib.crc32(json.dumps(config.to_dict(), sort_keys=True).encode())
        mine = torch.tensor([step, settings])
        of_all = [torch.empty_like(mine) for _ in range(self.size)]
        with self._noticing_loss():
            dist.all_gather(of_all, mine, group=self._sums)
        (first_step, first_settings), *others = [told.tolist() for told in of_all]
        for rank, (its_step, its_settings) in enumerate(others, start=1):
            other = f"process {rank + 1} of {self.size}"
            if its_step != first_step:
                raise ProcessesDifferError(
                    f"resume_from: the first process goes on from step {first_step}, {other} from "
                    f"step {its_step}; name the checkpoint's file"
                )
            if its_settings != first_settings:
                raise ProcessesDifferError(
                    f"{other} has other settings than the first; start all with the same"
                )

    def tell(self, task: Task) -> None:
        if self.leads:
            self._broadcast(task)

    def told(self) -> Task:
        return Task(self._broadcast(Task.END))

    def _broadcast(self, task: Task) -> int:
        said = torch.tensor(task)
        with self._noticing_loss():
            dist.broadcast(said, src=0, group=self._commands)
        return int(said)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        for group in _grouped(tensors):
            flat = torch.cat([tensor.flatten() for tensor in group])
            with self._noticing_loss():
                dist.all_reduce(flat, group=self._sums)
            parts = torch.split(flat, [tensor.numel() for tensor in group])
            torch._foreach_copy_(
                group, [part.view_as(t) for part, t in zip(parts, group, strict=True)]
            )

    def least(self, number: int) -> int:
        told = torch.tensor(number)
        with self._noticing_loss():
            dist.all_reduce(told, dist.ReduceOp.MIN, group=self._sums)
        return int(told)

    def close(self) -> None:
        if not self._is_lost:  # after that it may wait for ever
            self.tell(Task.END)
            dist.destroy_process_group()

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """
        Raises:
            ProcessLostError: another process has ended, or has said nothing for too long.
        """
        try:
            yield
        except RuntimeError as error:
            self._is_lost = True
            raise ProcessLostError(self._lost(error)) from error

    def _lost(self, error: RuntimeError) -> str:
        reason = (str(error).splitlines() or [""])[0]
        return (
            f"one of the {self.size} processes of the run is lost ({reason}); what it has "
            "printed may say why; go on from the newest checkpoint"
        )


def _grouped(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours together, as many as are to be copied at once."""
    group: list[Tensor] = []
    room = GROUP_BYTES
    for tensor in tensors:
        if group and tensor.nbytes > room:
            yield group
            group, room = [], GROUP_BYTES
        group.append(tensor)
        room -= tensor.nbytes
    yield group
