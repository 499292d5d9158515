"""Which device a run uses, and in which precision its matrix products run there.

As a program it says what is wrong with a device, or nothing (`device_check`).
"""

import sys

import torch

from trainable.config import TrainConfig, require_device_name
from trainable.errors import DeviceError, UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the GPU where there is one.

    Raises:
        ConfigError: no device has such a name.
        DeviceError: this machine has no such device, or it cannot be used.
    """
    require_device_name(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device: {name} is not on this machine ({torch.cuda.device_count()} GPUs); use cpu"
        )
    try:
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as error:  # a driver that does not fit this torch
        reason = str(error).splitlines()[0]
        raise DeviceError(f"device: {name} cannot be used here ({reason}); use cpu") from None
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


if __name__ == "__main__":
    try:
        resolve_device(sys.argv[1])
    except UserError as error:
        print(error)
