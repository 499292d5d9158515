"""Search-space files from their text, and what is wrong with them."""

from pathlib import Path

import pytest

from sweeper.errors import SpecError
from sweeper.spec.sweep_spec import SweepSpec
from tests.sweeper.checked import load_checked

LR = "space: {learning_rate: {grid: [1e-3, 2e-3]}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str) -> SweepSpec:
    return load_checked(write(folder, text))[0]


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a file, without the file's own name."""
    with pytest.raises(SpecError, match=r"space\.yaml") as error:
        load(folder, text)
    return [problem.removeprefix(f"{folder / 'space.yaml'}") for problem in error.value.problems]
