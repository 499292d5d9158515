"""Weights from elsewhere and for elsewhere: Hugging Face Llama folders, and any checkpoint's own.

The parameters have Hugging Face's names and shapes, so nothing is converted, only described.
Format: https://huggingface.co/docs/transformers/model_doc/llama.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainable.atomic_file import put_atomically, write_atomically
from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.weights.checkpoint import checkpoint_config, read_checkpoint, require_same_model

CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE = "config.json", "model.safetensors", "tokenizer.json"


def read_weights(source: Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights of a checkpoint of ours or of a Hugging Face Llama folder, for `config`'s model.

    Raises:
        CheckpointError: unreadable, or of another model.
    """
    if source.is_dir():
        return _read_llama_folder(source, config)
    parts = read_checkpoint(source)
    require_same_model(config, checkpoint_config(parts, source), source)
    weights: dict[str, Tensor] = parts["model"]
    return weights


def _read_llama_folder(folder: Path, config: TrainConfig) -> dict[str, Tensor]:
    try:
        described = json.loads((folder / CONFIG_FILE).read_bytes())
        weights = load_file(folder / WEIGHTS_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: not a readable Hugging Face folder ({error})") from None
    rope = described.get("rope_parameters") or {}
    described.setdefault("rope_theta", rope.get("rope_theta"))
    described.setdefault("tie_word_embeddings", False)
    described.setdefault("num_key_value_heads", described.get("num_attention_heads"))
    different = [
        f"{key} is {described.get(key)} there and {value} here"
        for key, value in llama_config(config).items()
        if key in REQUIRED and described.get(key) != value
    ]
    if different:
        raise CheckpointError(f"{folder}: of another model: {', '.join(different)}")
    return {name: weight.float() for name, weight in weights.items()}


REQUIRED = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "rope_theta",
    "rms_norm_eps",
    "tie_word_embeddings",
)


def llama_config(config: TrainConfig) -> dict[str, Any]:
    """The `config.json` that makes `transformers` build the model of `config`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_heads,
        "head_dim": config.d_model // config.num_heads,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "rope_theta": config.rope_theta,  # read by transformers 4, and rope_parameters by 5
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rms_norm_eps": config.rms_norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "use_cache": True,
        "dtype": "float32",
        "bos_token_id": None,
        "eos_token_id": None,
    }


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
