"""What weights are of is told without torch as `read_weights` tells it with torch."""

import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.loop.training import Trainer
from trainable.weights.llama_writing import write_llama_folder
from trainable.weights.outline import require_fitting
from trainable.weights.pretrained import read_weights

MakeConfig = Callable[..., TrainConfig]


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("it-has-run",)


def is_text(path: Path) -> None:
    path.write_text("weights")


def is_empty(path: Path) -> None:
    path.touch()


def is_an_empty_folder(path: Path) -> None:
    path.mkdir()


def is_a_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")


def is_of_another_program(path: Path) -> None:
    torch.save({"model": {"w": torch.ones(3)}}, path)


def is_bare_weights(path: Path) -> None:
    torch.save({"w": torch.ones(3)}, path)


def has_odd_settings(path: Path) -> None:
    torch.save({"config": {"d_model": "wide"}}, path)


def runs_code(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"config": Runs()}))


def is_a_folder_without_weights(path: Path) -> None:
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "llama"}')


def is_a_folder_of_another_kind(path: Path) -> None:
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "gpt2"}')
    (path / "model.safetensors").touch()


WRONG = [
    (is_text, "no checkpoint, or damaged"), (is_empty, "no checkpoint, or damaged"),
    (is_a_zip, "no checkpoint, or damaged"), (is_an_empty_folder, "not a readable Hugging Face"),
    (is_of_another_program, "not a checkpoint of this program"),
    (is_bare_weights, "not a checkpoint of this program"),
    (has_odd_settings, "its config cannot be used: d_model"),
    (runs_code, "not a checkpoint of this program"),
    (is_a_folder_without_weights, r"no model\.safetensors"),
    (is_a_folder_of_another_kind, "model_type is 'gpt2'"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "problem"), WRONG)
def test_what_is_no_weights_is_refused(
    tiny: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None],
    problem: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights"
    make(path)
    with pytest.raises(CheckpointError, match=problem):
        require_fitting(path, tiny())
    with pytest.raises(CheckpointError):
        read_weights(path, tiny())
    assert not (tmp_path / "it-has-run").exists()


def test_no_name_of_a_file(tiny: MakeConfig) -> None:
    for name in ("nowhere.pt", "a\0b", "x" * 5000):
        with pytest.raises(CheckpointError, match="no such file or folder: "):
            require_fitting(Path(name), tiny())


@pytest.mark.parametrize("form", ["checkpoint", "folder"])
def test_weights_fit_their_own_model_and_no_other(
    tiny: MakeConfig, tmp_path: Path, form: str
) -> None:
    trainer = Trainer(tiny())
    next(iter(trainer.train()))  # an optimizer with a state
    path = tmp_path / "checkpoint.pt"
    trainer.save(path)
    if form == "folder":
        path = tmp_path / "llama"
        write_llama_folder(path, trainer.config, trainer.model.state_dict(), None)
    require_fitting(path, replace(tiny(), learning_rate=0.5, context_length=8))
    for other in ({"d_ff": 16}, {"num_layers": 3}, {"rope_theta": 5.0}):
        config = replace(tiny(), **other)
        for refuses in (require_fitting, read_weights):
            with pytest.raises(CheckpointError, match="of another model: "):
                refuses(path, config)
