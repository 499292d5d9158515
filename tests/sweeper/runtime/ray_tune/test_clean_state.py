"""Trials that share an actor on a real Ray cluster: each finds the process as the first one did."""

import io
import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode
from tests.sweeper.closed_form import ClosedFormTrainer

TRAINER = "tests.sweeper.runtime.ray_tune.test_clean_state:DirtyTrainer"


class DirtyTrainer(ClosedFormTrainer):
    """Notes in its checkpoint how it found the process, and leaves it in a mess."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.found = {
            "pid": os.getpid(),
            "random": random.random(),
            "numpy": float(np.random.random()),
            "torch": float(torch.rand(())),
            "threads": torch.get_num_threads(),
            "dtype": str(torch.get_default_dtype()),
            "device": str(torch.get_default_device()),
            "grad": torch.is_grad_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "precision": torch.get_float32_matmul_precision(),
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "import_path": sys.path,
            "warnings": str(warnings.filters),
            "handler": str(signal.getsignal(signal.SIGUSR2)),
        }

    def train(self) -> Iterator[Any]:
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        torch.set_float32_matmul_precision("medium")
        os.environ["LEFT_BEHIND"] = os.environ.pop("HOME")
        os.chdir("/")
        sys.path.insert(0, "/left/behind")
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        yield from super().train()

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"step": self.step, "found": self.found}))


def test_nothing_of_a_trial_reaches_the_next(
    tmp_path: Path, write_space: Any, cluster: None
) -> None:
    space = write_space(scheduler={"type": "fifo"}, train={"eval_every_steps": 8}, max_concurrent=1)
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=tmp_path / "runs", dashboard=False, trainer=TRAINER)
    assert run_file(space, console, options).exit_code is ExitCode.DONE
    folder = RunFolder(tmp_path / "runs" / "tiny")
    newest = [folder.checkpoint_folders(f"{i:04d}")[0] / CHECKPOINT_FILE for i in range(4)]
    found = [json.loads(path.read_text())["found"] for path in newest]
    assert "LEFT_BEHIND" not in found[0]["environment"]
    for later in found[1:]:  # the process is the same, too
        assert {
            key: (found[0][key], later[key]) for key in later if later[key] != found[0][key]
        } == {}
