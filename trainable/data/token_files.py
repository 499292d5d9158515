"""Files of tokens: a `.npy` or a raw array, mapped into memory, and checked before a run starts.

Imports no torch: a sweep's driver checks its data in milliseconds.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainable.config import TrainConfig
from trainable.data.meta import read_meta
from trainable.errors import DataError

Tokens = npt.NDArray[np.unsignedinteger[Any]]

# Ids above the vocabulary are looked for in at most this much of a file (about 0.1 s); a larger
# file is sampled evenly and its meta.json, where there is one, answers for the rest.
MAX_SCANNED_BYTES = 256 * 2**20
SCAN_CHUNK_BYTES = 4 * 2**20


def open_tokens(path: Path, data_dtype: str | None = None) -> Tokens:
    """The tokens of a file, mapped into memory: shape (num_tokens,), an unsigned integer dtype.

    A file that does not end in `.npy` is a raw array of `data_dtype`, or of the dtype that a
    `meta.json` beside it gives.

    Raises:
        DataError: no such file, not a one-dimensional unsigned array, or a raw one of unknown type.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; `python -m sweeper prepare` makes one from text")
    try:
        if path.suffix == ".npy":
            tokens: Tokens = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            tokens = np.memmap(path, mode="r", dtype=_raw_dtype(path, data_dtype))
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not readable as an array of tokens ({error})") from None
    if tokens.ndim != 1:
        raise DataError(
            f"{path}: must have one dimension, got shape {tokens.shape}; "
            "save it flattened: np.save(path, tokens.reshape(-1))"
        )
    if tokens.dtype.kind != "u":
        raise DataError(
            f"{path}: must be of dtype uint8, uint16 or uint32, got {tokens.dtype}; "
            "save it converted: np.save(path, tokens.astype(np.uint16))"
        )
    return tokens


def _raw_dtype(path: Path, data_dtype: str | None) -> np.dtype[Any]:
    name = data_dtype or read_meta(path).dtype
    if name is None:
        raise DataError(
            f"{path}: a raw array needs its type: --data_dtype uint16, or a meta.json beside it "
            'with {"dtype": "uint16"}'
        )
    try:
        return np.dtype(name)
    except TypeError:
        raise DataError(f"{path}: data_dtype: no such type {name!r}; try uint16") from None


def check_data(config: TrainConfig) -> None:
    """Refuse data that no run of `config` could be trained on, before anything starts.

    Raises:
        DataError: a file missing or of the wrong kind, shorter than one window of context_length
            + 1 tokens, or holding a token id at or above vocab_size.
    """
    for key in ("train_data", "val_data"):
        value = getattr(config, key)
        if value is None:
            raise DataError(f"{key}: needed; `python -m sweeper prepare` makes data from text")
        path = Path(value)
        tokens = open_tokens(path, config.data_dtype)
        if len(tokens) < config.context_length + 1:
            raise DataError(
                f"{path}: holds {len(tokens)} tokens, fewer than one window of "
                f"context_length + 1 = {config.context_length + 1}; use more text or a shorter "
                "context_length"
            )
        largest = max(largest_token(tokens), (read_meta(path).vocab_size or 0) - 1)
        if largest >= config.vocab_size:
            raise DataError(
                f"{path}: token ids reach {largest}, outside the vocabulary; "
                f"set vocab_size to {largest + 1} or more, got {config.vocab_size}"
            )


def largest_token(tokens: Tokens) -> int:
    """The largest id in the file, or in an even sample of one above `MAX_SCANNED_BYTES`."""
    chunk = SCAN_CHUNK_BYTES // tokens.itemsize
    num_chunks = min(-(-len(tokens) // chunk), MAX_SCANNED_BYTES // SCAN_CHUNK_BYTES)
    starts = np.linspace(0, max(len(tokens) - chunk, 0), num_chunks).astype(np.int64)
    return max(int(tokens[start : start + chunk].max()) for start in starts)
