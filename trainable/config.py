"""What a training run is: every setting once, with its default, its check and its one line of help.

The command line (`trainable.__main__`), a sweep's `train:` and `space:` sections, `config.json`, a
checkpoint and the columns of a results table all take their names from `TrainConfig`.
This module imports no torch: a sweep's driver reads it in milliseconds.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, Self, get_type_hints

from trainable.errors import ConfigError
from trainable.settings import LARGEST_WHOLE, nearest, require_in_bounds, setting, shown, typed
from trainable.validation_sets import is_name

LONGEST_DEFAULT_WARMUP = 1000  # the guide's


def default_warmup_steps(max_steps: int) -> int:
    """The steps of warmup of a run that states none: the guide's, where its run is long enough for
    that to be a tenth of it or less."""
    return min(LONGEST_DEFAULT_WARMUP, max(0, max_steps) // 10)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings that decide what is learned. `None` means off.

    Raises:
        ConfigError: a value, or two together, that no run can have.
    """

    train_data: str | None = setting(None, "training tokens: a .npy file or a raw array")
    val_data: str | None = setting(None, "validation tokens: a .npy file or a raw array")
    val_sets: str | None = setting(
        None,
        "further validation sets by name, as code,news, in files beside val_data: val-code.npy, "
        "val-news.npy; each is evaluated, as val_loss_code, val_loss_news",
    )
    data_dtype: str | None = setting(None, "type of raw arrays (uint16, ...); None: from meta.json")

    separate_documents: bool = setting(
        False, "a token attends within its own document, where meta.json names the one after each"
    )
    windows_at_documents: bool = setting(
        False, "training windows begin where documents begin, instead of anywhere"
    )

    # The upper bounds are far above any model's. With them a count of parameters, of tokens a step
    # or of FLOPs a token always fits 64 bits.
    d_model: int = setting(512, "hidden dimension", at_least=1, at_most=2**20)
    num_heads: int = setting(8, "number of attention heads; divides d_model", at_least=1)
    num_kv_heads: int | None = setting(
        None,
        "heads of keys and values, shared by groups of heads; divides num_heads; None: as many",
        at_least=1,
        at_most=LARGEST_WHOLE,
    )
    qk_norm: bool = setting(False, "RMSNorm of each head's queries and keys, as Qwen3 has it")
    tie_embeddings: bool = setting(False, "the output projection is the embedding")
    d_ff: int = setting(2048, "feed-forward dimension", at_least=1, at_most=2**24)
    num_layers: int = setting(6, "number of transformer layers", at_least=1, at_most=2**12)
    parametrisation: Literal["standard", "mup", "completep"] = setting(
        "standard",
        "how initial weights, learning rates and scales follow the size: as stated, or from those "
        "of a base size, over the width (mup) or over width and depth (completep)",
    )
    base_width: int = setting(256, "d_model that mup's settings are stated for", at_least=1)
    base_depth: int = setting(4, "num_layers that completep's are stated for", at_least=1)
    base_head_dim: int = setting(
        64, "head size at which mup scales attention by 1/sqrt(head size)", at_least=1
    )
    vocab_size: int = setting(
        32000, "vocabulary size; above every token id in the data", at_least=1, at_most=2**32
    )
    context_length: int = setting(
        1024, "maximum sequence length, tokens", at_least=1, at_most=2**24
    )
    rope_theta: float = setting(10000.0, "RoPE base", above=0)
    rms_norm_eps: float = setting(1e-5, "what RMSNorm adds below its root", above=0)

    batch_size: int = setting(32, "sequences a step", at_least=1, at_most=2**32)
    learning_rate: float = setting(3e-4, "peak learning rate", above=0, in_mid_run=True)
    min_learning_rate: float = setting(
        3e-5, "learning rate at the end of the decay", at_least=0, in_mid_run=True
    )
    schedule: Literal["cosine", "linear", "wsd", "constant"] = setting(
        "cosine",
        "what the learning rate does after its warmup: fall along a cosine or a line, stay and "
        "fall at the end (wsd), or stay",
        in_mid_run=True,
    )
    decay_fraction: float = setting(
        0.2,
        "share of max_steps in which wsd's learning rate falls",
        above=0,
        at_most=1,
        in_mid_run=True,
    )
    decay_steps: int | None = setting(
        None,
        "steps in which wsd's falls; None: decay_fraction says",
        at_least=1,
        at_most=LARGEST_WHOLE,
        in_mid_run=True,
    )
    decay_shape: Literal["1-sqrt", "linear", "cosine"] = setting(
        "1-sqrt", "the way in which wsd's learning rate falls", in_mid_run=True
    )
    warmup_steps: int = setting(
        LONGEST_DEFAULT_WARMUP,
        "steps of linear warmup, below max_steps; where it is not given, a tenth of max_steps, at "
        "most 1000",
        at_least=0,
        in_mid_run=True,
    )
    max_steps: int = setting(100000, "training steps", at_least=1)
    grad_clip: float | None = setting(
        1.0, "global gradient norm is clipped to this; None: off", above=0, in_mid_run=True
    )
    optimizer: Literal["adamw", "muon"] = setting(
        "adamw", "AdamW for all weights, or Muon for the blocks' matrices and AdamW for the others"
    )
    muon_momentum: float = setting(0.95, "Muon's momentum (Nesterov's), below 1", at_least=0)
    beta1: float = setting(
        0.9, "AdamW's decay of the first moment, below 1", at_least=0, in_mid_run=True
    )
    beta2: float = setting(
        0.95, "AdamW's decay of the second moment, below 1", at_least=0, in_mid_run=True
    )
    adam_epsilon: float = setting(1e-8, "AdamW's epsilon", above=0, in_mid_run=True)
    weight_decay: float = setting(
        0.1, "AdamW's and Muon's weight decay, on matrices only", at_least=0, in_mid_run=True
    )
    independent_weight_decay: bool = setting(
        False,
        "a step takes away weight_decay of a matrix, scaled by the schedule alone and not by the "
        "learning rate; 1e-4 is usual",
    )
    z_loss: float | None = setting(
        None, "weight of log(Z)^2 of the softmax beside the loss (PaLM: 1e-4); None: off", above=0
    )
    ema_steps: int | None = setting(
        None,
        "evaluate, beside the weights, their average over about so many last steps: an exponential "
        "one whose decay is 1 - 1/ema_steps; None: ema_fraction says",
        at_least=1,
        at_most=LARGEST_WHOLE,
    )
    ema_fraction: float | None = setting(
        None, "ema_steps as a share of max_steps; None: off", above=0, at_most=1
    )
    seed: int = setting(0, "seed of the initial weights and of the order of the data", at_least=0)
    init_from: str | None = setting(
        None, "start from these weights: a checkpoint or a Hugging Face Llama folder"
    )

    log_every_steps: int = setting(10, "steps between lines of the training loss", at_least=1)
    eval_every_steps: int = setting(500, "steps between evaluations", at_least=1)
    eval_windows: int = setting(
        128,
        "validation windows of context_length tokens an evaluation",
        at_least=1,
        at_most=2**32,
    )
    checkpoint_every_steps: int = setting(5000, "steps between checkpoints", at_least=1)
    max_skipped_steps: int = setting(
        10, "non-finite steps in a row after which the run has diverged", at_least=1
    )

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "precision of the matrix products; auto: the fastest sound one on the device"
    )
    compile: bool = setting(False, "compile the model with torch.compile")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, ...")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The config with these settings, as read from YAML, JSON or a command line.

        Raises:
            ConfigError: an unknown name, a value of the wrong type, or one that no run can have.
        """
        types = _types()
        for key in values:
            if key not in types:
                raise ConfigError(str(key), f"no such setting{nearest(str(key), types)}")
        settings = {key: typed(key, value, types[key]) for key, value in values.items()}
        if "warmup_steps" not in settings:
            max_steps = settings.get("max_steps", cls.__dataclass_fields__["max_steps"].default)
            settings["warmup_steps"] = default_warmup_steps(max_steps)
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def named_val_sets(self) -> tuple[str, ...]:
        return () if self.val_sets is None else tuple(self.val_sets.split(","))

    @property
    def head_dim(self) -> int:
        return self.d_model // self.num_heads

    @property
    def kv_heads(self) -> int:
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    def rows_a_process(self, processes: int) -> int:
        """The sequences of a step that each of so many processes takes.

        Raises:
            ConfigError: they cannot be divided.
        """
        if self.batch_size % processes:
            problem = f"must be a multiple of {processes}, the processes that share a batch"
            raise ConfigError("batch_size", f"{problem}, got {self.batch_size}")
        return self.batch_size // processes

    @property
    def averaged_steps(self) -> int | None:
        """The steps that the average of weights reaches back over; None: there is none."""
        if self.ema_fraction is None:
            return self.ema_steps
        return math.ceil(self.ema_fraction * self.max_steps)

    @property
    def decay_begins(self) -> int:
        """The last step at the peak under `wsd`."""
        falling = self.decay_steps
        if falling is None:
            falling = math.ceil(self.decay_fraction * self.max_steps)
        return self.max_steps - falling

    def __post_init__(self) -> None:
        require_in_bounds(self)
        require_device_name(self.device)

        def require(holds: bool, key: str, problem: str) -> None:
            if not holds:
                raise ConfigError(key, f"{problem}, got {shown(getattr(self, key))}")

        names = self.named_val_sets
        require(
            all(map(is_name, names)) and len(set(names)) == len(names),
            "val_sets",
            "must be different names of letters, digits and _, as code,news (ema is taken)",
        )
        require(self.beta1 < 1, "beta1", "must be below 1")
        require(self.muon_momentum < 1, "muon_momentum", "must be below 1")
        require(self.beta2 < 1, "beta2", "must be below 1")
        require(
            self.d_model % self.num_heads == 0, "num_heads", f"must divide d_model ({self.d_model})"
        )
        require(
            self.head_dim % 2 == 0,
            "num_heads",
            f"must leave an even head size, d_model / num_heads (RoPE turns pairs; "
            f"d_model is {self.d_model})",
        )
        require(
            self.num_heads % self.kv_heads == 0,
            "num_kv_heads",
            f"must divide num_heads ({self.num_heads})",
        )
        require(
            self.min_learning_rate <= self.learning_rate,
            "min_learning_rate",
            f"must not exceed learning_rate ({self.learning_rate:g})",
        )
        require(
            self.warmup_steps < self.max_steps,
            "warmup_steps",
            f"must be below max_steps ({self.max_steps})",
        )
        require(
            self.ema_steps is None or self.ema_fraction is None,
            "ema_steps",
            "must be none where ema_fraction is given",
        )
        require(
            self.schedule != "wsd" or self.warmup_steps <= self.decay_begins,
            "decay_fraction" if self.decay_steps is None else "decay_steps",
            f"must leave warmup_steps ({self.warmup_steps}) of max_steps ({self.max_steps})",
        )
        most_steps = LARGEST_WHOLE // (self.batch_size * self.context_length)
        require(
            self.max_steps <= most_steps,
            "max_steps",
            f"must be at most {most_steps} (batch_size x context_length tokens a step are counted "
            "in 64 bits)",
        )


def require_device_name(name: str) -> None:
    """Refuse what no device is called that the training loop knows, here or anywhere.

    Raises:
        ConfigError: it names those that there are.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name, re.ASCII):
        raise ConfigError("device", f"must be auto, cpu, cuda or cuda:N, got {shown(name)}")


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(TrainConfig)
