"""What a training run is: every setting once, with its default, its check and its one line of help.

The command line (`trainable.__main__`), a sweep's `train:` and `space:` sections, `config.json`, a
checkpoint and the columns of a results table all take their names from `TrainConfig`.
This module imports no torch: a sweep's driver reads it in milliseconds.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from trainable.errors import ConfigError


def setting(default: Any, help: str) -> Any:
    """A dataclass field that carries its line of help."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings that decide what is learned. `None` means off.

    Raises:
        ConfigError: a value, or two together, that no run can have.
    """

    train_data: str | None = setting(None, "training tokens: a .npy file or a raw array")
    val_data: str | None = setting(None, "validation tokens: a .npy file or a raw array")
    data_dtype: str | None = setting(None, "type of raw arrays (uint16, ...); None: from meta.json")

    d_model: int = setting(512, "hidden dimension")
    num_heads: int = setting(8, "number of attention heads; divides d_model")
    d_ff: int = setting(2048, "feed-forward dimension")
    num_layers: int = setting(6, "number of transformer layers")
    vocab_size: int = setting(32000, "vocabulary size; above every token id in the data")
    context_length: int = setting(1024, "maximum sequence length, tokens")
    rope_theta: float = setting(10000.0, "RoPE base")

    batch_size: int = setting(32, "sequences a step")
    learning_rate: float = setting(3e-4, "peak learning rate")
    min_learning_rate: float = setting(3e-5, "learning rate at the end of the cosine")
    warmup_steps: int = setting(1000, "steps of linear warmup; below max_steps")
    max_steps: int = setting(100000, "training steps")
    grad_clip: float | None = setting(1.0, "global gradient norm is clipped to this; None: off")
    beta1: float = setting(0.9, "AdamW's decay of the first moment")
    beta2: float = setting(0.95, "AdamW's decay of the second moment")
    adam_epsilon: float = setting(1e-8, "AdamW's epsilon")
    weight_decay: float = setting(0.1, "AdamW's weight decay, on matrices only")
    seed: int = setting(0, "seed of the initial weights and of the order of the data")
    init_from: str | None = setting(
        None, "start from these weights: a checkpoint or a Hugging Face Llama folder"
    )

    log_every_steps: int = setting(10, "steps between reports of the training loss")
    eval_every_steps: int = setting(500, "steps between evaluations")
    eval_windows: int = setting(128, "validation windows of context_length tokens an evaluation")
    checkpoint_every_steps: int = setting(5000, "steps between checkpoints")
    max_skipped_steps: int = setting(
        10, "non-finite steps in a row after which the run has diverged"
    )

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "precision of the matrix products; auto: the fastest sound one on the device"
    )
    compile: bool = setting(False, "compile the model with torch.compile")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")

    def __post_init__(self) -> None:
        def require(holds: bool, key: str, problem: str) -> None:
            if not holds:
                raise ConfigError(key, f"{problem}, got {getattr(self, key)!r}")

        for key in (
            "d_model num_heads d_ff num_layers vocab_size context_length batch_size max_steps "
            "log_every_steps eval_every_steps eval_windows checkpoint_every_steps max_skipped_steps"
        ).split():
            require(getattr(self, key) >= 1, key, "must be at least 1")
        for key in "rope_theta learning_rate adam_epsilon".split():
            value = getattr(self, key)
            require(math.isfinite(value) and value > 0, key, "must be above 0 and finite")
        for key in "min_learning_rate weight_decay".split():
            value = getattr(self, key)
            require(math.isfinite(value) and value >= 0, key, "must be 0 or more and finite")
        for key in "beta1 beta2".split():
            require(0 <= getattr(self, key) < 1, key, "must be from 0 to below 1")
        require(
            self.grad_clip is None or (math.isfinite(self.grad_clip) and self.grad_clip > 0),
            "grad_clip",
            "must be above 0 (None turns clipping off)",
        )
        require(
            self.d_model % self.num_heads == 0,
            "num_heads",
            f"must divide d_model ({self.d_model})",
        )
        require(
            (self.d_model // self.num_heads) % 2 == 0,
            "num_heads",
            f"must leave an even head size (RoPE turns pairs), d_model is {self.d_model}",
        )
        require(
            self.min_learning_rate <= self.learning_rate,
            "min_learning_rate",
            f"must not exceed learning_rate ({self.learning_rate:g})",
        )
        require(
            0 <= self.warmup_steps < self.max_steps,
            "warmup_steps",
            f"must be from 0 to below max_steps ({self.max_steps})",
        )
        require(self.seed >= 0, "seed", "must be 0 or more")
