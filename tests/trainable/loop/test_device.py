import sys
from collections.abc import Callable

import pytest
import torch

from trainable.__main__ import main
from trainable.config import TrainConfig
from trainable.errors import ConfigError, DeviceError, UserError
from trainable.loop import device_check
from trainable.loop.device import resolve_device
from trainable.loop.device_check import require_usable

UNKNOWN = ["mps", "meta", "xpu", "cuda:", "cuda:-1", "cuda:99999", "cuda:٣", "gpu", "", "CPU"]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for the process that asks torch
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_device_is_called_is_refused_everywhere(name: str) -> None:
    for refuse in (require_usable, resolve_device, lambda name: TrainConfig(device=name)):
        with pytest.raises(ConfigError, match="device: must be auto, cpu, cuda or cuda:N, got '"):
            refuse(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_where_there_is_none_is_refused_in_the_same_words(name: str) -> None:
    with pytest.raises(DeviceError) as asked:
        require_usable(name)
    with pytest.raises(DeviceError) as tried:
        resolve_device(name)
    assert str(asked.value) == str(tried.value)
    assert str(tried.value) == f"device: {name} is not on this machine (0 GPUs); use cpu"


@pytest.mark.parametrize("error", [RuntimeError, AssertionError])
def test_a_driver_that_fails_is_told(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*size: object, **settings: object) -> None:
        raise error("CUDA driver version is insufficient\nand a second line")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "zeros", fails)
    with pytest.raises(DeviceError, match=r"cuda cannot be used here \(CUDA driver .*ient\); use"):
        resolve_device("cuda")


def test_what_every_machine_has_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_check.sys, "executable", "/no/where")
    for name in ("auto", "cpu"):
        require_usable(name)
        assert resolve_device(name).type == "cpu"


def test_a_torch_that_does_not_start_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    broken = tmp_path_factory.mktemp("broken")
    (broken / "torch.py").write_text("raise ImportError('libcudart.so.12: no such file')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}:{':'.join(sys.path)}")
    with pytest.raises(DeviceError, match=r"cannot be asked for here \(ImportError: libcudart"):
        require_usable("cuda")


@pytest.mark.parametrize("name", ["cuda", "meta", "cuda:7"])
def test_the_command_line_tells_it_in_one_line(
    name: str, tiny: Callable[..., TrainConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny()
    data = ["--train_data", str(config.train_data), "--val_data", str(config.val_data)]
    with pytest.raises(UserError) as error:
        resolve_device(name)
    assert main([*data, "--vocab_size", "8", "--device", name]) == 2
    assert capsys.readouterr().err == f"error: {error.value}\n"
