"""Checkpoints: one file that holds all a run needs to go on, whole or absent."""

import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainable.atomic_file import write_atomically
from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError

FORMAT = 1
PARTS = (
    "format",
    "config",
    "step",
    "model",
    "optimizer",
    "scaler",
    "statistics",
    "train_seconds",
    "micro_batch_size",
)
# What torch and zipfile raise on a file that is cut short or has other bytes in it.
UNREADABLE = (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
SHAPE = (
    "d_model",
    "num_heads",
    "d_ff",
    "num_layers",
    "vocab_size",
    "rope_theta",
    "rms_norm_eps",
)


def write_checkpoint(path: Path, parts: dict[str, Any]) -> None:
    """Write `parts` to `path`, atomically.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; earlier files stay.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: torch.save({"format": FORMAT, **parts}, file))
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise CheckpointError(
            f"{path}: not written ({reason}); earlier checkpoints are intact. "
            "Free some space and resume from the newest"
        ) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The parts of a checkpoint, its tensors on the CPU.

    Raises:
        CheckpointError: no such file, a truncated or damaged one, one of another program, or one
            that holds code to run.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        _require_checksums(path)
        parts = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        first_line = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path}: refused: it holds more than tensors and numbers, and would run code, or is "
            f"damaged ({first_line})"
        ) from None
    except UNREADABLE as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: truncated or damaged ({first_line})") from None
    if not isinstance(parts, dict) or any(part not in parts for part in PARTS):
        raise CheckpointError(f"{path}: not a checkpoint of this program")
    if parts["format"] != FORMAT:
        raise CheckpointError(f"{path}: format {parts['format']}, this program reads {FORMAT}")
    return parts


def saved_step(path: Path) -> int | None:
    """The step that a checkpoint was written at, its tensors left on the disk; None where it
    cannot be read."""
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        step: int = parts["step"]
    except (*UNREADABLE, pickle.UnpicklingError, TypeError):
        return None
    return step


def _require_checksums(path: Path) -> None:
    """Check the checksum of every tensor: torch writes them but does not read them."""
    with zipfile.ZipFile(path) as archive:  # raises for a bare pickle, which is never opened
        damaged = archive.testzip()
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged (the checksum of {damaged} is wrong)")


@dataclass(frozen=True)
class FoundCheckpoint:
    """The newest checkpoint that can be read, and why newer ones cannot."""

    path: Path | None
    parts: dict[str, Any]
    bad: tuple[str, ...]


def newest_good_checkpoint(newest_first: Iterable[Path]) -> FoundCheckpoint:
    """The first of `newest_first` that reads whole; `bad` has a message for each one before it."""
    bad: list[str] = []
    for path in newest_first:
        try:
            return FoundCheckpoint(path, read_checkpoint(path), tuple(bad))
        except CheckpointError as error:
            bad.append(str(error))
    return FoundCheckpoint(None, {}, tuple(bad))


def checkpoint_config(parts: dict[str, Any], path: Path) -> TrainConfig:
    """The config that a checkpoint was trained with."""
    try:
        return TrainConfig.from_mapping(parts["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: its config cannot be used: {error}") from None


def require_same_model(config: TrainConfig, saved: TrainConfig, path: Path) -> None:
    """Refuse to put weights of one shape into a model of another.

    Raises:
        CheckpointError: settings that shape the model differ; it names each.
    """
    different = [
        f"{name} is {getattr(saved, name)} there and {getattr(config, name)} here"
        for name in SHAPE
        if getattr(saved, name) != getattr(config, name)
    ]
    if different:
        raise CheckpointError(f"{path}: of another model: {', '.join(different)}")
