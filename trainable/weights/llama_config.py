"""Hugging Face's `config.json` of a Llama, or with QK-norm of a Qwen3: written for our models, and
read if it fits one of them.

Format: https://huggingface.co/docs/transformers/model_doc/llama and qwen3. No torch is needed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.settings import shown

CONFIG_FILE = "config.json"
QK_NORMED = "qwen3"

# Their name of each of our settings that shape a model, with what they take where it is not stated.
SETTINGS: dict[str, tuple[str, float]] = {
    "hidden_size": ("d_model", 4096),
    "intermediate_size": ("d_ff", 11008),
    "num_hidden_layers": ("num_layers", 32),
    "num_attention_heads": ("num_heads", 32),
    "vocab_size": ("vocab_size", 32000),
    "rope_theta": ("rope_theta", 10000.0),
    "rms_norm_eps": ("rms_norm_eps", 1e-6),
}
ROPE_KEYS = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}


@dataclass(frozen=True, kw_only=True)
class LlamaDescription:
    """What a `config.json` says of a model that could be one of ours."""

    stated: dict[str, object]  # by their names, those of SETTINGS
    num_kv_heads: int
    qk_norm: bool
    tied: bool  # the output projection is the embedding


def llama_config(config: TrainConfig, end_of_text: int | None = None) -> dict[str, Any]:
    """The `config.json` that makes `transformers` build the model of `config`.

    Args:
        end_of_text: the token after each document of the training data, where generation stops.
    """
    return {
        "architectures": ["Qwen3ForCausalLM" if config.qk_norm else "LlamaForCausalLM"],
        "model_type": QK_NORMED if config.qk_norm else "llama",
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "rope_theta": config.rope_theta,  # read by transformers 4, and rope_parameters by 5
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rms_norm_eps": config.rms_norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": config.tie_embeddings,
        "use_cache": True,
        "dtype": "float32",
        "bos_token_id": None,
        "eos_token_id": end_of_text,
        "pad_token_id": end_of_text,
    }


def read_llama_config(folder: Path) -> LlamaDescription:
    """What the `config.json` of `folder` describes.

    Raises:
        CheckpointError: it cannot be read, or is of a model that ours cannot be.
    """
    file = folder / CONFIG_FILE
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = f"{CONFIG_FILE}: {error}"[:200]
        raise CheckpointError(f"{folder}: not a readable Hugging Face folder ({reason})") from None
    if not isinstance(described, dict):
        raise CheckpointError(f"{file}: must hold a JSON object, got {shown(described)}")
    known = {key: value for key, value in described.items() if value is not None}
    rope = _plain_rope(known, file)
    stated = {key: known.get(key, default) for key, (_, default) in SETTINGS.items()}
    stated["rope_theta"] = rope.get("rope_theta", stated["rope_theta"])
    heads = stated["num_attention_heads"]
    kv_heads = known.get("num_key_value_heads", heads)
    whole = type(heads) is int and type(kv_heads) is int
    if not whole or heads < 1 or kv_heads < 1 or heads % kv_heads:
        raise CheckpointError(
            f"{file}: num_key_value_heads must divide num_attention_heads, got {shown(kv_heads)} "
            f"and {shown(heads)}"
        )
    _require_our_kind(known, stated, file)
    tied = known.get("tie_word_embeddings", False)
    return LlamaDescription(
        stated=stated,
        num_kv_heads=kv_heads,
        qk_norm=known["model_type"] == QK_NORMED,
        tied=bool(tied),
    )


def _plain_rope(known: dict[str, Any], file: Path) -> dict[str, Any]:
    """What it says of RoPE, under the name of transformers 4 and that of 5."""
    rope: dict[str, Any] = {}
    for key in ("rope_scaling", "rope_parameters"):
        said = known.get(key, {})
        if not isinstance(said, dict):
            raise CheckpointError(f"{file}: {key} must be a JSON object, got {shown(said)}")
        rope |= said
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default" or not rope.keys() <= ROPE_KEYS:
        raise CheckpointError(
            f"{file}: its positions are scaled, which this program's models cannot: {shown(rope)}"
        )
    if rope.get("partial_rotary_factor", 1) != 1:
        raise CheckpointError(
            f"{file}: partial_rotary_factor is {shown(rope['partial_rotary_factor'])}; this "
            "program's models turn whole heads"
        )
    return rope


def _require_our_kind(known: dict[str, Any], stated: dict[str, object], file: Path) -> None:
    width, heads = stated["hidden_size"], stated["num_attention_heads"]
    even = width // heads if isinstance(width, int) and isinstance(heads, int) and heads else None
    ours: dict[str, tuple[object, ...]] = {
        "model_type": ("llama", QK_NORMED),
        "use_sliding_window": (False,),
        "hidden_act": ("silu", "swish"),  # two names of one function
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "head_dim": (even,),
        "tie_word_embeddings": (False, True),
    }
    known = {"model_type": "missing", **known}
    if known["model_type"] == QK_NORMED:
        known = {"head_dim": 128, **known}  # where it is not stated
    for key, values in ours.items():
        if key in known and known[key] not in values:
            raise CheckpointError(
                f"{file}: {key} is {shown(known[key])}; this program's models have "
                f"{' or '.join(map(shown, values))}"
            )
    if "quantization_config" in known:
        raise CheckpointError(f"{file}: its weights are quantized; use those it was made from")


def require_described(config: TrainConfig, description: LlamaDescription, folder: Path) -> None:
    """Refuse a folder whose model is not that of `config`.

    Raises:
        CheckpointError: it names what differs, and the settings that would be right.
    """
    different = []
    for key, there in description.stated.items():
        ours, _ = SETTINGS[key]
        here = getattr(config, ours)
        number = isinstance(there, int | float) and not isinstance(there, bool)
        if not number or there != here:
            flag = f" (--{ours})" if ours != key else ""
            different.append(f"{key} is {shown(there)} there and {here} here{flag}")
    for name, there, fits in (
        ("qk_norm", description.qk_norm, (config.qk_norm,)),
        ("tie_embeddings", description.tied, (True,) if config.tie_embeddings else (False, True)),
        ("num_kv_heads", description.num_kv_heads, _kv_heads_that_fit(config, description)),
    ):
        if there not in fits:
            different.append(f"{name} is {shown(there)} there and {getattr(config, name)} here")
    if different:
        raise CheckpointError(f"{folder}: of another model: {', '.join(different)}")


def _kv_heads_that_fit(config: TrainConfig, description: LlamaDescription) -> tuple[int, ...]:
    """Those of this model; where each head has its own, those that are shared there are copied."""
    alone = config.kv_heads == config.num_heads
    return (description.num_kv_heads,) if alone else (config.kv_heads,)
