"""RMSNorm, RoPE and their backward passes: against torch, finite differences, complex numbers."""

import pytest
import torch
import torch.nn.functional as F

from trainable.config import TrainConfig
from trainable.model.operations import RMSNormFunction, RotationFunction, rms_norm, rotate
from trainable.model.transformer import Rope

FLOAT32_ROUNDING = 1e-6  # relative to the largest number
ROPE = Rope(TrainConfig(d_model=24, num_heads=4, context_length=9, rope_theta=50.0))


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


def heads(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(2, 4, 9, 6), lying in memory as a projection leaves them."""
    return drawn(2, 9, 4, 6, dtype=dtype).transpose(1, 2).detach().requires_grad_()


@pytest.mark.parametrize("epsilon", [1e-5, 0.3])
def test_the_norms_gradients_are_those_of_finite_differences(epsilon: float) -> None:
    hidden, weight = drawn(2, 3, 6, dtype=torch.float64), drawn(6, seed=1, dtype=torch.float64)
    assert torch.autograd.gradcheck(RMSNormFunction.apply, (hidden, weight, epsilon))


@pytest.mark.parametrize("shape", [(12, 64, 128), (3, 1, 8), (2, 4, 5, 16), (7, 32)])
def test_the_norms_values_and_gradients_are_torchs(shape: tuple[int, ...]) -> None:
    hidden, weight, above = drawn(*shape), drawn(shape[-1], seed=1), drawn(*shape, seed=2).detach()
    ours, theirs = (
        (y, *torch.autograd.grad(y, (hidden, weight), above))
        for y in (rms_norm(hidden, weight, 1e-5), F.rms_norm(hidden, shape[-1:], weight, 1e-5))
    )
    for mine, wanted in zip(ours, theirs, strict=True):
        assert (mine - wanted).abs().max() <= FLOAT32_ROUNDING * wanted.abs().max()


def test_a_row_of_zeros_has_a_norm_and_a_gradient() -> None:
    zeros = torch.zeros(2, 8, requires_grad=True)
    rms_norm(zeros, torch.ones(8), 1e-5).sum().backward()
    assert zeros.grad is not None and torch.isfinite(zeros.grad).all()


def test_a_pair_is_a_complex_number_that_is_turned() -> None:
    given = heads()
    angles = torch.outer(torch.arange(9.0), 50.0 ** (-torch.arange(3.0) / 3))
    turned = torch.complex(given[..., :3], given[..., 3:]) * torch.polar(torch.ones(9, 3), angles)
    wanted = torch.cat((turned.real, turned.imag), dim=-1)
    torch.testing.assert_close(rotate(given, *ROPE.tables(0, 9, torch.float32)), wanted)


def test_the_rotations_gradients_are_those_of_finite_differences() -> None:
    given = (heads(torch.float64), *ROPE.tables(0, 9, torch.float64))
    assert torch.autograd.gradcheck(RotationFunction.apply, given)


def test_the_rotation_is_the_same_in_every_precision() -> None:
    exact = heads(torch.float64)  # which torch differentiates
    wanted = rotate(exact, *ROPE.tables(0, 9, torch.float64))
    (wanted_grad,) = torch.autograd.grad(wanted.square().sum(), exact)
    for dtype, rounding in ((torch.float32, 1e-6), (torch.bfloat16, 2**-6)):
        given = exact.detach().to(dtype).requires_grad_()
        found = rotate(given, *ROPE.tables(0, 9, dtype))
        (grad,) = torch.autograd.grad(found.square().sum(), given)
        assert (found - wanted).abs().max() <= rounding * wanted.abs().max()
        assert (grad - wanted_grad).abs().max() <= rounding * wanted_grad.abs().max()
