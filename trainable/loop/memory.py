"""How much memory a run needs, from its config alone (no torch), to refuse one that cannot fit."""

import os
from pathlib import Path

from trainable.config import TrainConfig
from trainable.errors import DeviceError
from trainable.model.model_size import block_matrix_params, num_params

STATE_BYTES_PER_PARAM = 16  # float32 weight, gradient and AdamW's two moments
MOMENT_BYTES_PER_PARAM = 4
COPY_BYTES_PER_PARAM = 4  # an average of the weights; the weights before a step that is measured
MAX_LOGITS_BYTES = 2**30  # above this the loss runs in chunks (trainable/model/loss.py)


def estimate_memory(config: TrainConfig, micro_batch_size: int | None = None) -> int:
    """Bytes that a training step holds at its peak, the framework itself left out.

    Weights, gradients and moments, plus what the backward pass keeps of each token, or, if that is
    more, a copy of the weights while a step changes them. Of a token it is about
    10 d_model + 5 d_ff numbers a layer in float32 and 16 d_model + 5 d_ff in 16 bits, with QK-norm
    2 d_model more (counted in this model's graph; attention is recomputed by its kernel and keeps
    no scores), and the logits with their gradient.
    """
    tokens = (micro_batch_size or config.batch_size) * config.context_length
    item, of_width = (2, 16) if config.dtype in ("bfloat16", "float16") else (4, 10)
    of_width += 2 if config.qk_norm else 0
    kept_per_token = config.num_layers * (of_width * config.d_model + 5 * config.d_ff) * item
    logits = min(3 * 4 * tokens * config.vocab_size, MAX_LOGITS_BYTES)
    if config.separate_documents:
        logits += tokens * config.context_length  # a byte for each pair of positions
    kept = max(tokens * kept_per_token + logits, COPY_BYTES_PER_PARAM * num_params(config))
    state = STATE_BYTES_PER_PARAM * num_params(config)
    if config.averaged_steps is not None:
        state += COPY_BYTES_PER_PARAM * num_params(config)
    if config.optimizer == "muon":  # which has one moment
        state -= MOMENT_BYTES_PER_PARAM * block_matrix_params(config)
    return state + kept


def too_large(config: TrainConfig, device: str, problem: str) -> DeviceError:
    """What to say of a model that does not fit."""
    needed = estimate_memory(config, micro_batch_size=1) / 2**30
    return DeviceError(
        f"{num_params(config):,} parameters need about {needed:.1f} GiB on {device} to train on "
        f"one sequence at a time, and {problem}; reduce d_model, num_layers, vocab_size or "
        "context_length"
    )


def require_room(config: TrainConfig, device: str, available: int) -> None:
    """Refuse what cannot fit, before anything is allocated.

    Args:
        available: bytes that are free on the device.

    Raises:
        DeviceError: it says what is too large.
    """
    if estimate_memory(config, micro_batch_size=1) > available:
        raise too_large(config, device, f"{available / 2**30:.1f} GiB are free")
    for key in ("batch_size", "eval_windows"):
        number: int = getattr(config, key)
        needed = 8 * number * (config.context_length + 1)  # token ids, in main memory
        if needed > available_memory():
            raise DeviceError(
                f"{key}: {number} windows of context_length tokens need "
                f"{needed / 2**30:.1f} GiB, more than is free; use fewer"
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: torch has a class for it on a GPU, and only words on a CPU."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def available_memory() -> int:
    """Bytes of main memory that a new process may use: the machine's and its cgroup's limits."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():  # not Linux: what is installed is all that can be asked for simply
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fields = dict(line.split(b":") for line in meminfo.read_bytes().splitlines())
    available = int(fields[b"MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    used = Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_bytes().strip() != b"max":
        available = min(available, int(limit.read_bytes()) - int(used.read_bytes()))
    return available
