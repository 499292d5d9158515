"""The average of the last weights, which is often better than the last weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of a model's weights.

    Over the first `steps` steps it is their plain mean, without the initial weights; from there on
    each step keeps 1 - 1/steps of it (https://arxiv.org/abs/1806.05594; Polyak's average to begin
    with, so that nothing needs to be corrected for). So it is a function of the weights and of the
    step, and a run goes on with it exactly.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        self._parameters = dict(model.named_parameters())
        self._steps = steps
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    def add(self, step: int) -> None:
        """Take in the weights after step number `step`, counted from 1."""
        weights = [p.detach() for p in self._parameters.values()]
        share = 1 / min(step, self._steps)
        torch._foreach_lerp_(list(self._average.values()), weights, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the model has the averaged weights. Nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            parameter.data, self._average[name] = self._average[name], parameter.data

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self._average)

    def load_state_dict(self, saved: dict[str, Tensor]) -> None:
        for name, average in self._average.items():
            average.copy_(saved[name])
