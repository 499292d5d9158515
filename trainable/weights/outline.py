"""What stands behind `init_from`, as far as it can be told without torch and without reading the
weights: which model it is of. A sweep looks at it before it starts.
"""

import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError
from trainable.model.parametrisation import attention_scale, branch_scale, output_scale
from trainable.weights.llama_config import LlamaDescription, read_llama_config, require_described

WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
SHAPE = (
    "d_model",
    "num_heads",
    "kv_heads",
    "qk_norm",
    "tie_embeddings",
    "d_ff",
    "num_layers",
    "vocab_size",
    "rope_theta",
    "rms_norm_eps",
)
SCALES = {  # what of its parametrisation is in the model, and not only in its training
    "scale of attention": attention_scale,
    "scale of the output": output_scale,
    "scale of a block": branch_scale,
}


def require_fitting(source: Path, config: TrainConfig) -> None:
    """Refuse what weights for `config`'s model cannot be read from.

    Raises:
        CheckpointError: neither a checkpoint nor a Hugging Face Llama folder, or of another model.
    """
    try:
        changed = source.stat().st_mtime_ns
    except (OSError, ValueError):  # the latter for a name that no file can have
        raise CheckpointError(f"no such file or folder: {source}") from None
    found = _outline(source, changed)
    if isinstance(found, LlamaDescription):
        require_described(config, found, source)
    else:
        require_same_model(config, found, source)


def require_same_model(config: TrainConfig, saved: TrainConfig, path: Path) -> None:
    """Refuse to put weights of one shape into a model of another.

    Raises:
        CheckpointError: settings that shape the model differ; it names each.
    """
    different = [
        f"{name} is {getattr(saved, name)} there and {getattr(config, name)} here"
        for name in SHAPE
        if getattr(saved, name) != getattr(config, name)
    ]
    different += [
        f"{name} is {scale(saved):g} there and {scale(config):g} here (parametrisation)"
        for name, scale in SCALES.items()
        if scale(saved) != scale(config)
    ]
    if different:
        raise CheckpointError(f"{path}: of another model: {', '.join(different)}")


@lru_cache(maxsize=8)  # thousands of trials may begin from one
def _outline(source: Path, changed: int) -> TrainConfig | LlamaDescription:
    """
    Args:
        changed: When it was written.
    """
    if not source.is_dir():
        return _saved_config(source)
    description = read_llama_config(source)
    if not any((source / name).is_file() for name in (WEIGHTS_FILE, INDEX_FILE)):
        raise CheckpointError(f"{source}: not a readable Hugging Face folder (no {WEIGHTS_FILE})")
    return description


def _saved_config(path: Path) -> TrainConfig:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            with archive.open(name) as file:
                parts = _Outline(file).load()
    except Exception as error:  # whatever unpickling makes of the bytes of another file
        reason = str(error)[:200] or type(error).__name__
        raise CheckpointError(f"{path}: no checkpoint, or damaged ({reason})") from None
    if not isinstance(parts, dict) or not isinstance(parts.get("config"), dict):
        raise CheckpointError(f"{path}: not a checkpoint of this program")
    try:
        return TrainConfig.from_mapping(parts["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: its config cannot be used: {error}") from None


class _Anything:
    """In the place of every class and function that a pickle names: does nothing."""

    def __init__(self, *args: object, **named: object) -> None: ...

    def __call__(self, *args: object) -> "_Anything":
        return self

    def __setitem__(self, key: object, value: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...


class _Outline(pickle.Unpickler):
    """Reads numbers, words and what they are put together in. It imports nothing and runs nothing:
    a tensor is a blank."""

    def find_class(self, module: str, name: str) -> Any:
        return _Anything

    def persistent_load(self, pid: object) -> None:
        return None
