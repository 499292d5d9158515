"""Batches of tokens: the windows of a step are a pure function of (seed, step).

So resuming needs no state of the data, and every trial of a sweep sees the same text in the same
order whatever its other settings are.
"""

import numpy as np
import torch

from trainable.token_files import Tokens


def training_windows(
    tokens: Tokens, *, seed: int, step: int, batch_size: int, context_length: int
) -> torch.Tensor:
    """The windows of the `step`-th step, drawn evenly over the whole file.

    Returns:
        int64, shape (batch_size, context_length + 1): inputs are `[:, :-1]`, targets `[:, 1:]`.
    """
    generator = np.random.default_rng((seed, step))
    starts = generator.integers(0, len(tokens) - context_length, size=batch_size)
    return gather_windows(tokens, starts, context_length)


def evaluation_starts(tokens: Tokens, *, num_windows: int, context_length: int) -> np.ndarray:
    """Where the validation windows begin: evenly spaced, the same for every seed and run."""
    return np.linspace(0, len(tokens) - context_length - 1, num_windows).astype(np.int64)


def gather_windows(tokens: Tokens, starts: np.ndarray, context_length: int) -> torch.Tensor:
    """The windows of context_length + 1 tokens at `starts`: int64, one a row."""
    windows = np.empty((len(starts), context_length + 1), dtype=np.int64)
    for row, start in zip(windows, starts, strict=True):
        row[:] = tokens[start : start + context_length + 1]
    return torch.from_numpy(windows)
