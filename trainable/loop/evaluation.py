"""The validation loss, by all the processes of a run."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from trainable.loop.processes import Processes


@torch.no_grad()
def mean_loss(
    loss: Callable[[Tensor], Tensor], windows: Tensor, *, at_once: int, processes: Processes
) -> float:
    """The mean loss over windows, in nats a token. The processes take turns at parts of them, and
    what is added up is in the order of these: whoever took which makes no difference. Parts are
    smaller where a process would have none, which may round otherwise.

    Args:
        loss: the mean over a few of them.
        at_once: windows of one forward pass, at most.
    """
    parts = torch.split(windows, min(at_once, math.ceil(len(windows) / processes.size)))
    losses = torch.zeros(len(parts), dtype=torch.float64)
    for index in range(processes.rank, len(parts), processes.size):
        losses[index] = float(loss(parts[index])) * len(parts[index])
    processes.add_up([losses])
    total = 0.0
    for part in losses.tolist():  # `sum` rounds otherwise in other versions of Python
        total += part
    return total / len(windows)
