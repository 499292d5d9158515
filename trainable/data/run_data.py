"""What a run trains on, and the windows it is evaluated on."""

from pathlib import Path

import torch

from trainable.config import TrainConfig
from trainable.data.batches import TrainingBatches, gather_windows, require_in_vocabulary
from trainable.data.meta import read_meta
from trainable.data.token_files import evaluation_starts, open_tokens


class RunData:
    """The data that a config names, opened once they have been checked (`check_data`)."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        train_file, val_file = Path(str(config.train_data)), Path(str(config.val_data))
        train_tokens = open_tokens(train_file, config.data_dtype)
        self.batches = TrainingBatches(train_tokens, config, device)
        val_tokens = open_tokens(val_file, config.data_dtype)
        starts = evaluation_starts(
            val_tokens, num_windows=config.eval_windows, context_length=config.context_length
        )
        self.val_windows = gather_windows(val_tokens, starts, config.context_length)
        require_in_vocabulary(self.val_windows, config.vocab_size, str(val_file))
        self.bytes_per_token = read_meta(val_file).bytes_per_token
        self.end_of_text = read_meta(train_file).separator
