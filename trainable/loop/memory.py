"""How much memory a run needs, from its config alone (no torch), to refuse one that cannot fit."""

import os
from pathlib import Path

from trainable.config import TrainConfig
from trainable.model.model_size import num_params

STATE_BYTES_PER_PARAM = 16  # float32 weight, gradient and AdamW's two moments
MAX_LOGITS_BYTES = 2**30  # above this the loss runs in chunks (trainable/model/loss.py)


def estimate_memory(config: TrainConfig, micro_batch_size: int | None = None) -> int:
    """Bytes that a training step holds at its peak, the framework itself left out.

    Weights, gradients and moments, plus what the backward pass keeps of each token: about
    16 d_model + 5 d_ff numbers a layer (counted in this model's graph; attention is recomputed by
    its kernel and keeps no scores), and the logits with their gradient.
    """
    tokens = (micro_batch_size or config.batch_size) * config.context_length
    item = 2 if config.dtype in ("bfloat16", "float16") else 4
    kept_per_token = config.num_layers * (16 * config.d_model + 5 * config.d_ff) * item
    logits = min(3 * 4 * tokens * config.vocab_size, MAX_LOGITS_BYTES)
    return STATE_BYTES_PER_PARAM * num_params(config) + tokens * kept_per_token + logits


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
