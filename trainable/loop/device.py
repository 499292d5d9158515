"""Which device a run uses, and in which precision its matrix products run there."""

import torch

from trainable.config import TrainConfig
from trainable.errors import ConfigError, DeviceError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the GPU where there is one.

    Raises:
        ConfigError: no device has such a name.
        DeviceError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError("device", f"must be auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device: {name} is not on this machine ({torch.cuda.device_count()} GPUs); use cpu"
        )
    return device


def resolve_dtype(config: TrainConfig, device: torch.device) -> torch.dtype:
    """The precision of the matrix products; weights, optimiser and loss are float32 in each.

    `auto` is bfloat16 where the hardware multiplies it (about twice as fast, with the range of
    float32), else float32; never float16, which needs its loss scaled.
    """
    if config.dtype != "auto":
        return DTYPES[config.dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32
