"""What a run trains on, and the windows it is evaluated on."""

from pathlib import Path

import torch
from torch import Tensor

from trainable.config import TrainConfig
from trainable.data.batches import TrainingBatches, gather_windows, require_in_vocabulary
from trainable.data.meta import read_meta
from trainable.data.token_files import evaluation_starts, open_tokens, validation_files


class RunData:
    """The data that a config names, opened once they have been checked (`check_data`).

    Args:
        rows: which of each batch are trained on here.
    """

    def __init__(self, config: TrainConfig, device: torch.device, rows: slice) -> None:
        train_file, val_files = Path(str(config.train_data)), validation_files(config)
        train_tokens = open_tokens(train_file, config.data_dtype)
        self.batches = TrainingBatches(train_tokens, config, device, rows)
        # By the name of its loss, each set's windows: shape (eval_windows, context_length + 1).
        self.val_windows = {name: _windows(file, config) for name, file in val_files.items()}
        self.bytes_per_token = read_meta(val_files["val_loss"]).bytes_per_token
        self.end_of_text = read_meta(train_file).separator


def _windows(file: Path, config: TrainConfig) -> Tensor:
    tokens = open_tokens(file, config.data_dtype)
    starts = evaluation_starts(
        tokens, num_windows=config.eval_windows, context_length=config.context_length
    )
    windows = gather_windows(tokens, starts, config.context_length)
    require_in_vocabulary(windows, config.vocab_size, str(file))
    return windows
