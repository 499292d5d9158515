"""Checkpoints: one file that holds all a run needs to go on, whole or absent."""

import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor

from trainable.atomic_file import write_atomically
from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError
from trainable.model.model_size import weight_shapes
from trainable.settings import LARGEST_WHOLE, shown
from trainable.weights.outline import require_same_model

FORMAT = 1
# What torch and zipfile raise on a file that is cut short or has other bytes in it.
UNREADABLE = (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that a run needs to go on. What torch's own objects say of their state stays theirs."""

    config: TrainConfig
    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, object]
    scaler: dict[str, object]
    statistics: dict[str, Tensor]
    train_seconds: float
    micro_batch_size: int
    muon: dict[str, object] = field(default_factory=dict)  # its state; empty: AdamW has all weights
    end_of_text: int | None = None  # the token after each document of the data
    average: dict[str, Tensor] = field(default_factory=dict)  # of the weights; empty: none is kept


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, atomically.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; earlier files stay.
    """
    parts = {spec.name: getattr(checkpoint, spec.name) for spec in fields(Checkpoint)}
    parts |= {"format": FORMAT, "config": checkpoint.config.to_dict()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: torch.save(parts, file))
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise CheckpointError(
            f"{path}: not written ({reason}); earlier checkpoints are intact. "
            "Free some space and resume from the newest"
        ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint, its tensors on the CPU.

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
    return _checked(parts, path)


def read_to_go_on(path: Path, config: TrainConfig) -> Checkpoint:
    """A checkpoint that a run with this config can go on from.

    Raises:
        CheckpointError: as `read_checkpoint`, or it is of another model.
        ConfigError: of another optimizer, or from beyond the run's end.
    """
    saved = read_checkpoint(path)
    require_same_model(config, saved.config, path)
    if (there := saved.config.optimizer) != config.optimizer:
        raise ConfigError(
            "optimizer",
            f"must be {there}, that of {path}, or start anew with init_from, "
            f"got {config.optimizer}",
        )
    if saved.step > config.max_steps:
        raise ConfigError(
            "max_steps",
            f"must be at least {saved.step}, the step of {path}, got {config.max_steps}",
        )
    return saved


def _checked(parts: object, path: Path) -> Checkpoint:
    kinds: dict[str, type | tuple[type, ...]] = {
        "config": dict,
        "step": int,
        "model": dict,
        "optimizer": dict,
        "scaler": dict,
        "statistics": dict,
        "train_seconds": (int, float),
        "micro_batch_size": int,
    }
    if not isinstance(parts, dict) or any(name not in parts for name in ("format", *kinds)):
        raise CheckpointError(f"{path}: not a checkpoint of this program")
    if not isinstance(parts["format"], int) or parts["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: format {shown(parts['format'])}, this program reads {FORMAT}"
        )
    for name, kind in kinds.items():
        if not isinstance(parts[name], kind) or isinstance(parts[name], bool):
            raise CheckpointError(f"{path}: damaged: {name} cannot be {shown(parts[name])}")
    for name, least in (("step", 0), ("train_seconds", 0), ("micro_batch_size", 1)):
        if not least <= parts[name] <= LARGEST_WHOLE:
            raise CheckpointError(f"{path}: damaged: {name} cannot be {shown(parts[name])}")
    try:
        config = TrainConfig.from_mapping(parts["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: its config cannot be used: {error}") from None
    _require_weights(parts["model"], config, path)
    if average := parts.get("average", {}):
        if not isinstance(average, dict):
            raise CheckpointError(f"{path}: damaged: average cannot be {shown(average)}")
        _require_weights(average, config, path)
    muon = parts.get("muon", {})
    if not isinstance(muon, dict):
        raise CheckpointError(f"{path}: damaged: muon cannot be {shown(muon)}")
    end_of_text = parts.get("end_of_text")
    return Checkpoint(
        **{name: parts[name] for name in kinds} | {"config": config},
        end_of_text=end_of_text if type(end_of_text) is int else None,
        average=average,
        muon=muon,
    )


def _require_weights(weights: dict[str, object], config: TrainConfig, path: Path) -> None:
    shapes = weight_shapes(config)
    if different := set(weights).symmetric_difference(shapes):
        raise CheckpointError(
            f"{path}: damaged: its config and its weights do not agree on "
            f"{shown(min(map(str, different)))}"
        )
    for name, shape in shapes.items():
        weight = weights[name]
        if not isinstance(weight, Tensor) or tuple(weight.shape) != shape:
            raise CheckpointError(f"{path}: damaged: {name} is no tensor of shape {shape}")


def saved_step(path: Path) -> int | None:
    """The step that a checkpoint was written at, its tensors left on the disk; None where it
    cannot be read."""
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        step = parts["step"]
    except (*UNREADABLE, pickle.UnpicklingError, TypeError):
        return None
    return step if isinstance(step, int) else None


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
    checkpoint: Checkpoint | None
    bad: tuple[str, ...]


def newest_good_checkpoint(newest_first: Iterable[Path]) -> FoundCheckpoint:
    """The first of `newest_first` that reads whole; `bad` has a message for each one before it."""
    bad: list[str] = []
    for path in newest_first:
        try:
            return FoundCheckpoint(path, read_checkpoint(path), tuple(bad))
        except CheckpointError as error:
            bad.append(str(error))
    return FoundCheckpoint(None, None, tuple(bad))
