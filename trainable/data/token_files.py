"""Files of tokens: a `.npy` or a raw array, mapped into memory, and checked before a run starts.

Imports no torch: a sweep's driver checks its data in milliseconds.
"""

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from trainable.config import TrainConfig
from trainable.data.meta import read_meta
from trainable.errors import DataError
from trainable.settings import counted, shown
from trainable.validation_sets import set_file, set_loss

Tokens = npt.NDArray[np.integer[Any]]

NPY_MAGIC = b"\x93NUMPY"
# llm.c's files begin with 256 int32: a magic number, a version, the number of tokens, zeros
# (https://github.com/karpathy/llm.c/blob/master/dev/data/data_common.py).
LLM_C_HEADER_BYTES = 1024
LLM_C_DTYPES = {(20240520, 1): "uint16", (20240801, 7): "uint32"}

# What numpy raises on a header that has been damaged.
UNREADABLE = (
    *(ValueError, OSError, EOFError, OverflowError, MemoryError, SyntaxError, TypeError, KeyError),
    *(TokenError, RecursionError),
)

# Ids above the vocabulary are looked for in at most this much of a file (about 0.1 s); a larger
# file is sampled evenly and its meta.json, where there is one, answers for the rest.
MAX_SCANNED_BYTES = 256 * 2**20
SCAN_CHUNK_BYTES = 4 * 2**20
SEARCHED_TOKENS = 2**14  # at once, for the end of a document


def open_tokens(path: Path, data_dtype: str | None = None) -> Tokens:
    """The tokens of a file, mapped into memory: shape (num_tokens,), whole numbers.

    A file is numpy's or llm.c's by how it begins. Any other is a raw array of `data_dtype`, or of
    the dtype that a `meta.json` beside it gives.

    Raises:
        DataError: no such file, not a one-dimensional array of whole numbers, or a raw one of
            unknown type.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; `python -m sweeper prepare` makes one from text")
    try:
        with path.open("rb") as file:
            beginning = file.read(LLM_C_HEADER_BYTES)
        if path.suffix == ".npy" or beginning.startswith(NPY_MAGIC):
            tokens: Tokens = np.lib.format.open_memmap(path, mode="r")
        elif (header := _llm_c_header(beginning)) is not None:
            tokens = _llm_c_tokens(path, header, data_dtype)
        else:
            tokens = np.memmap(path, mode="r", dtype=_raw_dtype(path, data_dtype))
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: not readable as an array of tokens ({reason[:200]})") from None
    if tokens.ndim != 1:
        raise DataError(
            f"{path}: must have one dimension, got shape {tokens.shape}; "
            "save it flattened: np.save(path, tokens.reshape(-1))"
        )
    _require_whole_numbers(path, tokens.dtype)
    return tokens


def _require_whole_numbers(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "ui":
        raise DataError(
            f"{path}: must be of dtype uint8, uint16 or uint32, got {dtype}; "
            "save it converted: np.save(path, tokens.astype(np.uint16))"
        )


def _llm_c_header(beginning: bytes) -> tuple[int, int, int] | None:
    """Magic number, version and number of tokens, where a file begins as llm.c's do."""
    if len(beginning) < LLM_C_HEADER_BYTES:
        return None
    magic, version, num_tokens = (int(n) for n in np.frombuffer(beginning, "<i4", count=3))
    return (magic, version, num_tokens) if magic in {known for known, _ in LLM_C_DTYPES} else None


def _llm_c_tokens(path: Path, header: tuple[int, int, int], data_dtype: str | None) -> Tokens:
    magic, version, num_tokens = header
    name = LLM_C_DTYPES.get((magic, version))
    if name is None:
        raise DataError(f"{path}: has llm.c's header, of an unknown version {version}")
    dtype = np.dtype(name).newbyteorder("<")
    stated = data_dtype or read_meta(path).dtype
    if stated is not None and _dtype(path, stated) != dtype:
        raise DataError(f"{path}: has llm.c's header, of {name}, and not of {stated}; leave it out")
    held = (path.stat().st_size - LLM_C_HEADER_BYTES) / dtype.itemsize
    if num_tokens != held:
        raise DataError(
            f"{path}: damaged: its llm.c header tells of {counted(num_tokens, 'token')}, "
            f"and it holds {held:g}"
        )
    return np.memmap(path, mode="r", dtype=dtype, offset=LLM_C_HEADER_BYTES)


def _raw_dtype(path: Path, data_dtype: str | None) -> np.dtype[Any]:
    name = data_dtype or read_meta(path).dtype
    if name is None:
        raise DataError(
            f"{path}: a raw array needs its type: --data_dtype uint16, or a meta.json beside it "
            'with {"dtype": "uint16"}'
        )
    dtype = _dtype(path, name)
    _require_whole_numbers(path, dtype)
    return dtype


def _dtype(path: Path, name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise DataError(f"{path}: data_dtype: no such type {shown(name)}; try uint16") from None


def check_data(config: TrainConfig) -> None:
    """Refuse data that no run of `config` could be trained on, before anything starts.

    Raises:
        DataError: a file missing or of the wrong kind, shorter than one window of context_length
            + 1 tokens, or holding a token id below 0 or at or above vocab_size.
    """
    for key in ("separate_documents", "windows_at_documents"):
        if getattr(config, key) and separator_of(config) is None:
            raise DataError(
                f"{key}: needs the token after each document: `separator` in the meta.json beside "
                f"{config.train_data}"
            )
    for key in ("train_data", "val_data"):
        if getattr(config, key) is None:
            raise DataError(f"{key}: needed; `python -m sweeper prepare` makes data from text")
    train = Path(str(config.train_data))
    for path in (train, *validation_files(config).values()):
        tokens = open_tokens(path, config.data_dtype)
        if len(tokens) < config.context_length + 1:
            raise DataError(
                f"{path}: holds {counted(len(tokens), 'token')}, fewer than one window of "
                f"context_length + 1 = {config.context_length + 1}; use more text"
                f"{'' if path == train else ', a larger --val_fraction'} or a shorter "
                "context_length"
            )
        smallest, largest = token_range(tokens)
        if smallest < 0:
            raise DataError(f"{path}: holds a token id of {smallest}; there is none below 0")
        largest = max(largest, (read_meta(path).vocab_size or 0) - 1)
        if largest >= config.vocab_size:
            raise DataError(
                f"{path}: token ids reach {largest}, outside the vocabulary; "
                f"set vocab_size to {largest + 1} or more, got {config.vocab_size}"
            )


def validation_files(config: TrainConfig) -> dict[str, Path]:
    """Where the validation sets of a config are, by the name of each one's loss."""
    first = Path(str(config.val_data))
    named = {set_loss(name): set_file(first, name) for name in config.named_val_sets}
    return {"val_loss": first, **named}


def separator_of(config: TrainConfig) -> int | None:
    """The token after each document of the training data, as their `meta.json` has it."""
    return None if config.train_data is None else read_meta(Path(config.train_data)).separator


def document_at_or_after(tokens: Tokens, place: int, separator: int, context_length: int) -> int:
    """Where the first document begins at `place` or behind it; the file's first one where none
    does that leaves room for a window."""
    last = len(tokens) - context_length - 1
    if place == 0:
        return 0
    for start in range(place - 1, last, SEARCHED_TOKENS):
        ends = np.flatnonzero(tokens[start : min(start + SEARCHED_TOKENS, last)] == separator)
        if len(ends):
            return start + int(ends[0]) + 1
    return 0


def token_range(tokens: Tokens) -> tuple[int, int]:
    """The least and the largest id in the file, or in an even sample of one above
    `MAX_SCANNED_BYTES`."""
    chunk = SCAN_CHUNK_BYTES // tokens.itemsize
    num_chunks = min(-(-len(tokens) // chunk), MAX_SCANNED_BYTES // SCAN_CHUNK_BYTES)
    starts = np.linspace(0, max(len(tokens) - chunk, 0), num_chunks).astype(np.int64)
    chunks = [tokens[start : start + chunk] for start in starts]
    signed = tokens.dtype.kind == "i"
    least = min(int(chunk.min()) for chunk in chunks) if signed else 0
    return least, max(int(chunk.max()) for chunk in chunks)


def evaluation_starts(
    tokens: Tokens, *, num_windows: int, context_length: int
) -> npt.NDArray[np.int64]:
    """Where the validation windows begin: evenly spaced, the same for every seed and run."""
    return np.linspace(0, len(tokens) - context_length - 1, num_windows).astype(np.int64)
