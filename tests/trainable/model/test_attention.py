from itertools import chain

import pytest
import torch

from trainable.config import TrainConfig
from trainable.model.attention import EXPLICIT_UP_TO_LENGTH, causal_attention, within_documents
from trainable.model.transformer import LanguageModel


@pytest.mark.parametrize("length", [2, 33, EXPLICIT_UP_TO_LENGTH, EXPLICIT_UP_TO_LENGTH + 1])
def test_bfloat16_is_float32_but_for_rounding(length: int) -> None:
    generator = torch.Generator().manual_seed(0)
    exact = [
        torch.randn(2, 3, length, 8, generator=generator).bfloat16().float().requires_grad_()
        for _ in range(3)
    ]
    rounded = [tensor.detach().bfloat16().requires_grad_() for tensor in exact]
    outputs = causal_attention(*exact, 0.2), causal_attention(*rounded, 0.2)
    assert outputs[1].dtype == torch.bfloat16
    assert (outputs[0] - outputs[1]).abs().max() < 0.05  # 8 bits, on values up to about 4
    for output in outputs:
        output.float().square().sum().backward()
    for mine, theirs in zip(rounded, exact, strict=True):
        error = (mine.grad.float() - theirs.grad).norm() / theirs.grad.norm()
        assert error < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("settings", [{}, {"num_kv_heads": 1, "qk_norm": True}])
def test_documents_in_one_window_have_the_logits_of_each_alone(
    dtype: torch.dtype, settings: dict[str, int]
) -> None:
    config = TrainConfig.from_mapping(
        {
            **{"d_model": 32, "num_heads": 2, "d_ff": 48, "num_layers": 2, "vocab_size": 9},
            **{"context_length": 16, **settings},
        }
    )
    model = LanguageModel(config)
    documents = [[1, 2, 3, 0], [0], [4, 5, 0], [6, 7, 8, 1, 2]]
    tokens = torch.tensor([[*chain(*documents)], [*chain(*reversed(documents))]])
    with torch.no_grad():
        seen = within_documents(tokens, separator=0)
        hidden = model.model.blocks(model.embed(tokens, dtype), seen=seen)
        together = model.logits(hidden).float()
        alone = [model(torch.tensor([document]), dtype)[0].float() for document in documents]
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    assert (together[0] - torch.cat(alone)).abs().max() < tolerance
    # In the second row a document that does not end stands before the others, and is one with the
    # next: a separator is what parts them.
    assert (together[1, -4:] - alone[0]).abs().max() < tolerance
    joined = model(torch.tensor([documents[3] + documents[2]]), dtype)[0].float()
    assert (together[1, :8] - joined).abs().max() < tolerance
