"""Weights from elsewhere and for elsewhere: Hugging Face Llama folders, and any checkpoint's own.

The parameters have Hugging Face's names and shapes, so nothing is converted, only described.
Format: https://huggingface.co/docs/transformers/model_doc/llama.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainable.atomic_file import put_atomically, write_atomically
from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.weights.checkpoint import checkpoint_config, read_checkpoint, require_same_model
from trainable.weights.llama_config import CONFIG_FILE, llama_config
from trainable.weights.llama_reading import WEIGHTS_FILE, read_llama_folder

TOKENIZER_FILE = "tokenizer.json"


def read_weights(source: Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights of a checkpoint of ours or of a Hugging Face Llama folder, for `config`'s model.

    Raises:
        CheckpointError: unreadable, or of another model.
    """
    if source.is_dir():
        return read_llama_folder(source, config)
    parts = read_checkpoint(source)
    require_same_model(config, checkpoint_config(parts, source), source)
    weights: dict[str, Tensor] = parts["model"]
    return weights


def find_tokenizer(config: TrainConfig) -> Path | None:
    """The `tokenizer.json` beside the training data, if it is there."""
    if config.train_data is None:
        return None
    path = Path(config.train_data).parent / TOKENIZER_FILE
    return path if path.is_file() else None


def write_llama_folder(
    folder: Path, config: TrainConfig, weights: dict[str, Tensor], tokenizer: Path | None
) -> None:
    """Write a folder that `transformers.AutoModelForCausalLM.from_pretrained` loads.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(folder / WEIGHTS_FILE, weights)
    if tokenizer is not None:
        shutil.copyfile(tokenizer, folder / TOKENIZER_FILE)
        _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "TokenizersBackend"})
    _write_json(folder / CONFIG_FILE, llama_config(config))


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    def write(temporary: Path) -> None:
        try:
            save_file(weights, temporary, metadata={"format": "pt"})
        except SafetensorError as error:  # which it makes of a full disk, too
            raise CheckpointError(f"{path}: not written ({error})") from None

    put_atomically(path, write)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
