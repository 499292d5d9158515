"""Runs of `python -m trainable`: what is typed, and what they leave."""

import json
from collections.abc import Callable
from pathlib import Path

from trainable.config import TrainConfig

MakeConfig = Callable[..., TrainConfig]


def flags(config: TrainConfig) -> list[str]:
    """The command line that means `config`."""
    words = []
    for name, value in config.to_dict().items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", "none" if value is None else str(value)]
    return words


def steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
