import pytest
import torch

from trainable.model.attention import EXPLICIT_UP_TO_LENGTH, causal_attention


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
