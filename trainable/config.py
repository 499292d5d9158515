"""What a training run is: every setting once, with its default, its check and its one line of help.

The command line (`trainable.__main__`), a sweep's `train:` and `space:` sections, `config.json`, a
checkpoint and the columns of a results table all take their names from `TrainConfig`.
This module imports no torch: a sweep's driver reads it in milliseconds.
"""

import difflib
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from trainable.errors import ConfigError

LARGEST_WHOLE = 2**63 - 1  # what a column of a table and an index into a file can hold


def setting(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: int | None = None,
    in_mid_run: bool = False,
) -> Any:
    """A dataclass field that carries its line of help and its bounds; a whole number has an upper
    one in any case.

    Args:
        in_mid_run: A run under way may go on with another value: it is read anew at each step, or
            is a function of it. The others shape the model, or what it has seen so far.
    """
    if at_most is None and type(default) is int:
        at_most = LARGEST_WHOLE
    bounds = {"at_least": at_least, "above": above, "at_most": at_most}
    return field(default=default, metadata={"help": help, "in_mid_run": in_mid_run, **bounds})


def require_in_bounds(settings: Any) -> None:
    """Refuse settings that are beyond the bounds of their fields.

    Raises:
        ConfigError: naming the setting, the bound and the value.
    """
    for spec in fields(settings):
        value, bounds = getattr(settings, spec.name), spec.metadata
        if not isinstance(value, int | float):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(spec.name, f"must be finite, got {value}")
        if bounds["at_least"] is not None and value < bounds["at_least"]:
            raise ConfigError(
                spec.name, f"must be at least {bounds['at_least']}, got {shown(value)}"
            )
        if bounds["above"] is not None and value <= bounds["above"]:
            raise ConfigError(spec.name, f"must be above {bounds['above']}, got {shown(value)}")
        if bounds["at_most"] is not None and value > bounds["at_most"]:
            raise ConfigError(spec.name, f"must be at most {bounds['at_most']}, got {shown(value)}")


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
    data_dtype: str | None = setting(None, "type of raw arrays (uint16, ...); None: from meta.json")

    # The upper bounds are far above any model's. With them a count of parameters, of tokens a step
    # or of FLOPs a token always fits 64 bits.
    d_model: int = setting(512, "hidden dimension", at_least=1, at_most=2**20)
    num_heads: int = setting(8, "number of attention heads; divides d_model", at_least=1)
    d_ff: int = setting(2048, "feed-forward dimension", at_least=1, at_most=2**24)
    num_layers: int = setting(6, "number of transformer layers", at_least=1, at_most=2**12)
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
        3e-5, "learning rate at the end of the cosine", at_least=0, in_mid_run=True
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
    beta1: float = setting(
        0.9, "AdamW's decay of the first moment, below 1", at_least=0, in_mid_run=True
    )
    beta2: float = setting(
        0.95, "AdamW's decay of the second moment, below 1", at_least=0, in_mid_run=True
    )
    adam_epsilon: float = setting(1e-8, "AdamW's epsilon", above=0, in_mid_run=True)
    weight_decay: float = setting(
        0.1, "AdamW's weight decay, on matrices only", at_least=0, in_mid_run=True
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

    def __post_init__(self) -> None:
        require_in_bounds(self)
        require_device_name(self.device)

        def require(holds: bool, key: str, problem: str) -> None:
            if not holds:
                raise ConfigError(key, f"{problem}, got {shown(getattr(self, key))}")

        require(self.beta1 < 1, "beta1", "must be below 1")
        require(self.beta2 < 1, "beta2", "must be below 1")
        require(
            self.d_model % self.num_heads == 0, "num_heads", f"must divide d_model ({self.d_model})"
        )
        require(
            (self.d_model // self.num_heads) % 2 == 0,
            "num_heads",
            f"must leave an even head size, d_model / num_heads (RoPE turns pairs; "
            f"d_model is {self.d_model})",
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


# What there is, and what else people call it.
OTHER_NAMES = {
    "learning_rate": "lr max_lr peak_lr",
    "min_learning_rate": "min_lr",
    "batch_size": "bs batch",
    "weight_decay": "wd decay",
    "warmup_steps": "warmup warmup_iters",
    "max_steps": "steps num_steps train_steps iters max_iters iterations",
    "grad_clip": "clip max_grad_norm clip_grad_norm",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "adam_epsilon": "eps epsilon adam_eps",
    "num_layers": "layers n_layer n_layers depth num_hidden_layers",
    "num_heads": "heads n_head n_heads num_attention_heads",
    "d_model": "dim width n_embd hidden_size embedding_dim",
    "d_ff": "d_ffn ffn_dim intermediate_size",
    "context_length": "ctx seq_len seq_length sequence_length max_seq_len block_size",
    "vocab_size": "vocab",
    "rope_theta": "theta",
    "seed": "random_seed",
    "dtype": "precision",
    "eval_every_steps": "eval_every eval_steps eval_interval",
    "log_every_steps": "log_every log_interval logging_steps",
    "checkpoint_every_steps": "checkpoint_every save_every save_steps save_interval",
}


def nearest(key: str, known: Mapping[str, Any] | list[str]) -> str:
    """`; did you mean 'learning_rate'?` if a known name is close, otherwise nothing."""
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def typed(key: str, value: Any, expected: Any) -> Any:
    """`value` in the type that a setting has: 600.0 becomes the integer 600, 1 the float 1.0; a
    string never becomes a number.

    Raises:
        ConfigError: it is of another type.
    """
    options = get_args(expected) if isinstance(expected, UnionType) else (expected,)
    for option in options:
        if get_origin(option) is Literal:
            if isinstance(value, str) and value in get_args(option):
                return value
        elif option is type(None) or option is bool or option is str:
            if isinstance(value, option):
                return value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if option is int and (isinstance(value, int) or value.is_integer()):
                return int(value)
            if option is float and isinstance(value, int) and abs(value) > sys.float_info.max:
                return math.inf if value > 0 else -math.inf  # which the bounds refuse
            if option is float:
                return float(value)
    raise ConfigError(key, f"must be {' or '.join(map(described, options))}, got {shown(value)}")


def shown(value: Any) -> str:
    """A value as a message has it, whatever its length (Python writes out no whole number of more
    than 4300 digits)."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def described(expected: Any) -> str:
    if get_origin(expected) is Literal:
        return "one of " + ", ".join(get_args(expected))
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(expected, "null")
