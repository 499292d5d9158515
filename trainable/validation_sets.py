"""Validation sets with names: what their losses and their files are called."""

import re
from pathlib import Path

LOSS = "val_loss_"
NAME = r"(?!ema$)[A-Za-z0-9_]+"  # val_loss_ema is that of the averaged weights


def is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None


def set_loss(name: str) -> str:
    """What the loss of the set of this name is called."""
    return f"{LOSS}{name}"


def set_of(metric: str) -> str | None:
    """The name of the set whose loss this is; None if it is none of a set with a name."""
    name = metric.removeprefix(LOSS)
    return name if name != metric and is_name(name) else None


def set_file(first: Path, name: str) -> Path:
    """The file of the set, beside that of the one without a name: `val-code.npy`."""
    return first.with_name(f"{first.stem}-{name}{first.suffix}")


def names_beside(first: Path) -> tuple[str, ...]:
    """What the files beside it call their sets, sorted; not all may be names."""
    files = first.parent.glob(f"{first.stem}-*{first.suffix}")
    return tuple(sorted(file.stem.removeprefix(f"{first.stem}-") for file in files))
