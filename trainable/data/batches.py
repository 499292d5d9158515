"""Batches of tokens: the windows of a step are a pure function of (seed, step).

So resuming needs no state of the data, and every trial of a sweep sees the same text in the same
order whatever its other settings are.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from trainable.config import TrainConfig
from trainable.data.token_files import Tokens, document_at_or_after, separator_of
from trainable.errors import DataError


def training_windows(
    tokens: Tokens,
    *,
    seed: int,
    step: int,
    batch_size: int,
    context_length: int,
    separator: int | None = None,
    rows: slice = slice(None),
) -> torch.Tensor:
    """The windows of the `step`-th step, drawn evenly over the whole file.

    Args:
        separator: the token after each document, where windows are to begin with documents: each
            with the one at or behind the place that was drawn, so that nothing needs to be known of
            the file. Long documents make the ones behind them likelier, not themselves.
        rows: which of them are wanted.

    Returns:
        int64, shape (rows, context_length + 1): inputs are `[:, :-1]`, targets `[:, 1:]`.
    """
    generator = np.random.default_rng((seed, step))
    starts = generator.integers(0, len(tokens) - context_length, size=batch_size)[rows]
    if separator is not None:
        starts = np.array(
            [document_at_or_after(tokens, int(s), separator, context_length) for s in starts]
        )
    return gather_windows(tokens, starts, context_length)


class TrainingBatches:
    """The windows of each step, or some rows of them, read one step ahead in the background, so
    that waiting for the disk happens while the step before runs."""

    def __init__(
        self,
        tokens: Tokens,
        config: TrainConfig,
        device: torch.device,
        rows: slice = slice(None),
    ) -> None:
        self._tokens = tokens
        self._config = config
        self._rows = rows
        self._separator = separator_of(config) if config.windows_at_documents else None
        self._pin = device.type == "cuda"  # pinned memory is what a non-blocking copy needs
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        self._ahead: dict[int, Future[torch.Tensor]] = {}

    def take(self, step: int) -> torch.Tensor:
        """The windows of step number `step`, and the next one's begun."""
        ahead = self._ahead.pop(step, None) or self._reader.submit(self._read, step)
        self._ahead = {step + 1: self._reader.submit(self._read, step + 1)}
        return ahead.result()

    def _read(self, step: int) -> torch.Tensor:
        windows = training_windows(
            self._tokens,
            seed=self._config.seed,
            step=step,
            batch_size=self._config.batch_size,
            context_length=self._config.context_length,
            separator=self._separator,
            rows=self._rows,
        )
        require_in_vocabulary(windows, self._config.vocab_size, str(self._config.train_data))
        return windows.pin_memory() if self._pin else windows


def gather_windows(tokens: Tokens, starts: np.ndarray, context_length: int) -> torch.Tensor:
    """The windows of context_length + 1 tokens at `starts`: int64, one a row."""
    windows = np.empty((len(starts), context_length + 1), dtype=np.int64)
    for row, start in zip(windows, starts, strict=True):
        row[:] = tokens[start : start + context_length + 1]
    return torch.from_numpy(windows)


def require_in_vocabulary(windows: torch.Tensor, vocab_size: int, file: str) -> None:
    """Refuse a token id that no embedding is for: of a large file only a sample is looked at
    before.

    Raises:
        DataError: it names the file and the id.
    """
    ids = windows.numpy()
    least, largest = int(ids.min()), int(ids.max())
    if least < 0 or largest >= vocab_size:
        raise DataError(
            f"{file}: holds a token id of {least if least < 0 else largest}, outside the "
            f"vocabulary (vocab_size {vocab_size})"
        )
