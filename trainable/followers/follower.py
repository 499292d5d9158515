"""One of the processes of a run, as the one that leads has started it (`leader`)."""

import json
import os
import shutil
import sys
import threading
import traceback
from pathlib import Path

import torch

from trainable.config import TrainConfig
from trainable.errors import UserError
from trainable.followers.leader import READY, Role
from trainable.loop.processes import Together
from trainable.loop.training import Trainer


class StartedProcess(Together):
    """A process that another has started."""

    def __init__(self, role: Role, leader: int) -> None:
        super().__init__(role.rank, role.size, role.rank, role.size)
        self._meeting = Path(role.meeting)
        self._leader = leader  # a descriptor, to say what the leader has to know

    def meet(self, device: torch.device) -> None:
        os.write(self._leader, f"{READY}\n".encode())
        self._join(device, self._meeting)


def main() -> None:
    leader = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed here
    told = json.loads(sys.stdin.buffer.readline())
    role = Role(**told["role"])
    life = threading.Thread(target=_end_with_leader, args=(Path(role.meeting).parent,), daemon=True)
    life.start()
    try:
        trainer = Trainer(
            TrainConfig.from_mapping(told["config"]),
            resume_from=None if role.resume_from is None else Path(role.resume_from),
            num_threads=role.num_threads,
            micro_batch_size=role.micro_batch_size,
            processes=StartedProcess(role, leader),
        )
        trainer.follow()
        life.join()
    except UserError as error:
        os.write(leader, str(error).encode())
        os._exit(2)  # the thread that reads keeps Python from ending in order
    except Exception:  # told with its traceback
        os.write(leader, traceback.format_exc().encode())
        os._exit(1)


def _end_with_leader(folder: Path) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
