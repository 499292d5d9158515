"""A model of ours as a folder that `transformers` loads.

The parameters have Hugging Face's names and shapes, so nothing is converted, only described.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainable.atomic_file import put_atomically, write_atomically
from trainable.config import TrainConfig
from trainable.data.tokenizer import TOKENIZER_FILE
from trainable.errors import CheckpointError
from trainable.weights.llama_config import CONFIG_FILE, llama_config
from trainable.weights.llama_tokenizer import llama_tokenizer
from trainable.weights.outline import WEIGHTS_FILE
from trainable.weights.plain_scales import without_scales


def write_llama_folder(
    folder: Path,
    config: TrainConfig,
    weights: dict[str, Tensor],
    tokenizer: Path | None,
    end_of_text: int | None = None,
) -> None:
    """Write a folder that `transformers.AutoModelForCausalLM.from_pretrained` loads.

    Args:
        tokenizer: the tokenizer.json of the data, if there is one.
        end_of_text: the token after each document of the data, where generation stops.

    Raises:
        DataError: `tokenizer` is no tokenizer.json.
        CheckpointError: the weights cannot be written, on a full disk say.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        described, settings = llama_tokenizer(tokenizer, end_of_text, config.context_length)
        _write_json(folder / TOKENIZER_FILE, described)
        _write_json(folder / "tokenizer_config.json", settings)
    _write_weights(folder / WEIGHTS_FILE, without_scales(config, weights))
    ends = {"bos_token_id": None, "eos_token_id": end_of_text, "pad_token_id": end_of_text}
    _write_json(folder / "generation_config.json", {"_from_model_config": True, **ends})
    _write_json(folder / CONFIG_FILE, llama_config(config, end_of_text))


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    def write(temporary: Path) -> None:
        try:
            save_file(weights, temporary, metadata={"format": "pt"})
        except SafetensorError as error:  # which it makes of a full disk, too
            raise CheckpointError(f"{path}: not written ({error})") from None

    put_atomically(path, write)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
