"""Weights of a Hugging Face Llama folder, for a model of ours.

The parameters have the same names and shapes, but for three things that many published models
have: weights in several files, an output projection that is the embedding, and heads that share
keys and values. The first changes nothing. A model of ours may have the other two as well
(`tie_embeddings`, `num_kv_heads`); one that has an output projection and heads of its own gets them
copied, and computes exactly the same; trained further, they part.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.model.model_size import weight_shapes
from trainable.settings import shown
from trainable.weights.llama_config import LlamaDescription, read_llama_config, require_described
from trainable.weights.outline import INDEX_FILE, WEIGHTS_FILE
from trainable.weights.plain_scales import with_scales

EMBEDDING, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
KEYS_AND_VALUES = ("self_attn.k_proj.weight", "self_attn.v_proj.weight")
IGNORED = "rotary_emb.inv_freq"  # early folders have RoPE's frequencies, which follow from config


def read_llama_folder(folder: Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights in `folder` for `config`'s model, in float32.

    Raises:
        CheckpointError: unreadable, of another model, or of one that ours cannot be.
    """
    description = read_llama_config(folder)
    require_described(config, description, folder)
    shapes = _shapes_there(config, description)
    files = _file_of_each(folder)
    if description.tied:
        files.pop(OUTPUT, None)
    _require_names(folder, set(files), set(shapes))
    weights: dict[str, Tensor] = {}
    for file in sorted(set(files.values())):
        names = [name for name, its_file in files.items() if its_file == file]
        weights |= _read(file, names, shapes)
    groups = config.kv_heads // description.num_kv_heads
    for name in weights:
        if name.endswith(KEYS_AND_VALUES):
            heads = weights[name].view(description.num_kv_heads, -1, config.d_model)
            weights[name] = heads.repeat_interleave(groups, dim=0).flatten(0, 1)
    if description.tied and not config.tie_embeddings:
        weights[OUTPUT] = weights[EMBEDDING].clone()
    return with_scales(config, weights)


def _shapes_there(config: TrainConfig, description: LlamaDescription) -> dict[str, tuple[int, ...]]:
    shapes = weight_shapes(config)
    rows = config.head_dim * description.num_kv_heads
    for name in shapes:
        if name.endswith(KEYS_AND_VALUES):
            shapes[name] = (rows, config.d_model)
    if description.tied:
        shapes.pop(OUTPUT, None)
    return shapes


def _file_of_each(folder: Path) -> dict[str, Path]:
    """The file that holds each tensor, one or one of several."""
    single, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if single.exists() or not index.exists():
        return {name: single for name in _names(single)}
    try:
        said = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        places = {
            str(name): folder / str(file)
            for name, file in said.items()
            if not str(name).endswith(IGNORED)
        }
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise CheckpointError(f"{index}: no readable index of weights ({reason})") from None
    outside = [file for file in places.values() if file.parent != folder]
    if outside:
        raise CheckpointError(f"{index}: names a file outside its folder: {outside[0]}")
    there = {file: _names(file) for file in sorted(set(places.values()))}
    for name, file in places.items():
        if name not in there[file]:
            raise CheckpointError(f"{index}: {file.name} does not hold {shown(name)}")
    return places


def _names(file: Path) -> list[str]:
    try:
        if not file.is_file():
            problem = "no such file"
            if list(file.parent.glob("*.bin")):
                problem += "; only safetensors are read, so save it again with transformers"
            raise _unreadable(file, problem)
        with safe_open(file, framework="pt") as opened:
            return sorted(name for name in opened.keys() if not name.endswith(IGNORED))  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, problem: object) -> CheckpointError:
    return CheckpointError(
        f"{file.parent}: not a readable Hugging Face folder ({file.name[:80]}: "
        f"{str(problem)[:200]})"
    )


def _require_names(folder: Path, there: set[str], wanted: set[str]) -> None:
    for names, problem in (
        (wanted - there, "lacks"),
        (there - wanted, "has weights that this program's models have not:"),
    ):
        if names:
            first, more = min(names), len(names) - 1
            raise CheckpointError(
                f"{folder}: {problem} {first}" + (f" and {more} more" if more else "")
            )


def _read(file: Path, names: list[str], shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    weights = {}
    try:
        with safe_open(file, framework="pt") as opened:
            for name in names:
                weights[name] = opened.get_tensor(name)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{file}: damaged ({str(error)[:200]})") from None
    for name, weight in weights.items():
        if tuple(weight.shape) != shapes[name]:
            raise CheckpointError(
                f"{file}: {name} is of shape {tuple(weight.shape)}, and {shapes[name]} is wanted"
            )
        if not weight.dtype.is_floating_point:
            raise CheckpointError(f"{file}: {name} is of {weight.dtype}; its weights are quantized")
        weights[name] = weight.float()
        if not torch.isfinite(weights[name]).all():
            raise CheckpointError(f"{file}: {name} holds numbers that are not finite")
    return weights
