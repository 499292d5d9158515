"""The state of a process that training code may change, put back before the next trial begins."""

import os
import random
import signal
import sys
import warnings
from typing import Any

import numpy as np


class ProcessState:
    """Taken once, when the training code has been imported, and restored before every trial.

    Torch's state is included if the training code has imported torch. Two things cannot be put
    back: threads that still run, and what modules keep in variables of their own.
    """

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self.folder = os.getcwd()
        self.import_path = list(sys.path)
        self.warnings = list(warnings.filters)
        self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self.torch = _torch_settings()

    def restore(self, seed: int) -> None:
        """Put everything back as it was, and seed every global random generator."""
        if os.environ != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.path[:] = self.import_path
        warnings.resetwarnings()  # tells every module that the filters have changed
        warnings.filters[:] = self.warnings  # type: ignore[index]  # a list, for CPython
        for number, handler in self.handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        _restore_torch(self.torch, seed)


def _torch_settings() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "set_num_threads": torch.get_num_threads(),
        "set_default_dtype": torch.get_default_dtype(),
        "set_default_device": torch.get_default_device(),
        "set_grad_enabled": torch.is_grad_enabled(),
        "use_deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "set_float32_matmul_precision": torch.get_float32_matmul_precision(),
    }


def _restore_torch(settings: dict[str, Any], seed: int) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    now = _torch_settings()
    for setter, value in settings.items():
        if now[setter] != value:
            getattr(torch, setter)(value)
    torch.manual_seed(seed)  # of every device
