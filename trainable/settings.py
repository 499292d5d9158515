"""What a class of settings is made of: a field with its line of help and its bounds, and a value
as it is read, checked and shown.

This module imports no torch: a sweep's driver reads it in milliseconds.
"""

import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import field, fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin

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


# What settings there are, and what else people call them.
OTHER_NAMES = {
    "learning_rate": "lr max_lr peak_lr",
    "min_learning_rate": "min_lr",
    "batch_size": "bs batch",
    "weight_decay": "wd decay",
    "schedule": "lr_scheduler lr_schedule lr_scheduler_type",
    "decay_fraction": "cooldown_fraction decay_ratio cooldown_frac",
    "decay_steps": "cooldown_steps cooldown_iters num_decay_steps",
    "warmup_steps": "warmup warmup_iters",
    "max_steps": "steps num_steps train_steps iters max_iters iterations",
    "grad_clip": "clip max_grad_norm clip_grad_norm",
    "ema_steps": "ema_horizon",
    "ema_fraction": "ema ema_decay",
    "optimizer": "optim",
    "muon_momentum": "momentum",
    "independent_weight_decay": "decoupled_weight_decay fully_decoupled",
    "parametrisation": "parametrization parameterization parameterisation mup mu_p",
    "base_width": "mup_base_width base_d_model",
    "base_depth": "base_num_layers",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "adam_epsilon": "eps epsilon adam_eps",
    "separate_documents": "document_masking doc_mask intra_document_masking reset_attention_mask",
    "num_layers": "layers n_layer n_layers depth num_hidden_layers",
    "num_kv_heads": "kv_heads n_kv_head num_key_value_heads n_kv_heads",
    "tie_embeddings": "tie_word_embeddings weight_tying tied_embeddings",
    "qk_norm": "qk_layernorm qknorm",
    "z_loss": "z_loss_weight z_loss_coefficient zloss",
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


def counted(number: int, noun: str) -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def described(expected: Any) -> str:
    if get_origin(expected) is Literal:
        return "one of " + ", ".join(get_args(expected))
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(expected, "null")
