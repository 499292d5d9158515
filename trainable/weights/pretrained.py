"""Weights to start from: a checkpoint's own, or a Hugging Face folder's."""

from pathlib import Path

from torch import Tensor

from trainable.config import TrainConfig
from trainable.weights.checkpoint import read_checkpoint
from trainable.weights.llama_reading import read_llama_folder
from trainable.weights.outline import require_same_model


def read_weights(source: Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights of a checkpoint of ours or of a Hugging Face Llama folder, for `config`'s model.

    Raises:
        CheckpointError: unreadable, or of another model.
    """
    if source.is_dir():
        return read_llama_folder(source, config)
    checkpoint = read_checkpoint(source)
    require_same_model(config, checkpoint.config, source)
    return checkpoint.model
