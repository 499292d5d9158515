"""What tells that a run is about to diverge, before its loss does.

Measured where it costs little: the size of an update at the steps that are logged, the largest
numbers of a forward pass at evaluations, on a few of their windows (docs/training.md has the cost).
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from trainable.model.attention import within_documents
from trainable.model.transformer import LanguageModel

WATCHED_WINDOWS = 4
WATCHED_LOGITS = 64  # tokens of each, the last ones


class UpdateSize:
    """How far a step moves the weights, as a share of their norm, all of them together."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = [parameter.detach() for parameter in parameters]
        self._before = [parameter.clone() for parameter in self._parameters]

    def ratio(self) -> Tensor:
        """|weights now - weights when this was made| / |weights then|, shape ()."""
        norm = torch.nn.utils.get_total_norm(self._before)
        torch._foreach_sub_(self._before, self._parameters)
        return torch.nn.utils.get_total_norm(self._before) / norm


@torch.no_grad()
def largest_values(
    model: LanguageModel,
    windows: Tensor,
    dtype: torch.dtype,
    *,
    at_once: int,
    separator: int | None = None,
) -> tuple[float, float]:
    """The largest absolute value in the residual stream, before or behind any block, and the
    largest absolute logit.

    Args:
        windows: (rows, context_length + 1) token ids, a few rows of them.
        at_once: rows of one forward pass.
        separator: the token after each document, where these are kept apart.
    """
    activations, logits = [], []
    for rows in torch.split(windows, at_once):
        hidden = model.embed(rows[:, :-1], dtype)
        seen = None if separator is None else within_documents(rows[:, :-1], separator)
        rope = model.model.rope.tables(0, hidden.shape[1], dtype)
        activations.append(hidden.abs().max())
        for block in model.model.layers:
            hidden = block(hidden, rope, None, seen)
            activations.append(hidden.abs().max())
        last = model.model.norm(hidden[:, -WATCHED_LOGITS:])
        logits.append(model.logits(last).abs().max())
    return float(torch.stack(activations).max()), float(torch.stack(logits).max())
