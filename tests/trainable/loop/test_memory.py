from collections.abc import Callable

import pytest
import torch

from trainable.config import TrainConfig
from trainable.errors import DeviceError
from trainable.loop.memory import available_memory, estimate_memory, is_out_of_memory
from trainable.loop.training import Trainer
from trainable.model.loss import next_token_loss
from trainable.model.model_size import num_params
from trainable.model.transformer import LanguageModel

MakeConfig = Callable[..., TrainConfig]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "shape",
    [
        {"d_model": 64, "num_heads": 4, "d_ff": 256, "num_layers": 3, "vocab_size": 100},
        {"d_model": 128, "num_heads": 2, "d_ff": 128, "num_layers": 2, "vocab_size": 500},
        {
            **{"d_model": 128, "num_heads": 4, "d_ff": 256, "num_layers": 2, "vocab_size": 99},
            **{"qk_norm": True, "tie_embeddings": True},
        },
    ],
)
def test_the_estimate_is_what_the_backward_pass_keeps(shape: dict[str, int], dtype: str) -> None:
    config = TrainConfig.from_mapping(
        {**shape, "context_length": 600, "batch_size": 4, "dtype": dtype}
    )
    model = LanguageModel(config)
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = torch.zeros(4, 600, dtype=torch.long)
    compute = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.model.blocks(model.embed(tokens, compute))
        next_token_loss(hidden, model.output_weight, tokens)
    estimated = estimate_memory(config) - 16 * num_params(config)
    assert 0.7 < estimated / sum(kept.values()) < 1.8


def test_a_smaller_micro_batch_needs_less() -> None:
    config = TrainConfig(batch_size=8)
    assert estimate_memory(config, 1) < estimate_memory(config, 4) < estimate_memory(config)


def test_this_machine_has_memory() -> None:
    assert 2**26 < available_memory() < 2**50


def test_out_of_memory_is_told_from_other_failures() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as mistake:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(mistake.value)


@pytest.mark.parametrize("key", ["batch_size", "eval_windows"])
def test_windows_that_no_memory_holds_are_refused(tiny: MakeConfig, key: str) -> None:
    with pytest.raises(DeviceError, match=f"{key}: 4294967296 windows of context_length tokens "):
        Trainer(tiny(**{key: 2**32}))
