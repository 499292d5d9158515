"""RMSNorm and RoPE, each with a backward pass of its own where torch's is slow.

That is in float32 on the CPU, uncompiled: there torch differentiates both as the many small
operations that they are made of, and a step took 9 % longer (docs/training.md). In 16 bits it made
no difference, `torch.compile` makes better ones of its own, and a GPU has a kernel for the norm.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def rms_norm(hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x / rms(x) * weight over the last dimension (https://arxiv.org/abs/1910.07467)."""
    if not _is_slow_in_torch(hidden):
        return F.rms_norm(hidden, weight.shape, weight, epsilon)
    normed: Tensor = RMSNormFunction.apply(hidden, weight, epsilon)  # type: ignore[no-untyped-call]
    return normed


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + head_dim / 2) of `heads` (..., length, head_dim) by its angle."""
    if _is_slow_in_torch(heads):
        rotated: Tensor = RotationFunction.apply(heads, cos, sin)  # type: ignore[no-untyped-call]
        return rotated
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


def _is_slow_in_torch(given: Tensor) -> bool:
    plain = given.device.type == "cpu" and given.dtype == torch.float32
    return plain and not torch.compiler.is_compiling()


# Called by `apply`, to which torch gives no types.
class RMSNormFunction(torch.autograd.Function):
    """What is large is written over where it can be: passes over memory are what it costs. `hidden`
    is kept, which the residual stream keeps anyway, and not its unit vectors."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        norm = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        inverse = norm.square_().div_(len(weight)).add_(epsilon).rsqrt_()
        ctx.save_for_backward(hidden, inverse, weight)
        normed: Tensor = (hidden * inverse).mul_(weight)
        return normed

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        """With y = w x / r: dx = (w dy - x mean(x w dy) / r^2) / r, since r moves with x."""
        (grad,) = grad_outputs
        hidden, inverse, weight = ctx.saved_tensors
        product = grad * hidden
        along = (product @ weight)[..., None] * inverse.square()
        weight_grad = inverse.flatten() @ product.flatten(0, -2)
        hidden_grad = torch.mul(grad, weight, out=product)
        hidden_grad.addcmul_(hidden, along, value=-1 / len(weight)).mul_(inverse)
        return hidden_grad, weight_grad, None


class RotationFunction(torch.autograd.Function):
    """Backwards it turns by the angle's negative."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(heads, cos, sin, direction=1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grad_outputs[0], cos, sin, direction=-1), None, None


def _turned(heads: Tensor, cos: Tensor, sin: Tensor, *, direction: int) -> Tensor:
    turned = heads * cos
    first, second = heads.chunk(2, dim=-1)
    turned_first, turned_second = turned.chunk(2, dim=-1)
    sin = sin.chunk(2, dim=-1)[0]  # its halves are alike
    turned_first.addcmul_(second, sin, value=-direction)
    turned_second.addcmul_(first, sin, value=direction)
    return turned
