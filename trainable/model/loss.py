"""The loss: cross entropy of the next token, a chunk of tokens at a time.

The logits of all tokens at once are what fills memory: 1 GB in float32 at 8192 tokens and a
vocabulary of 32000, several times over. Here they exist for a chunk only, and since the loss is a
mean its gradient is known as soon as the chunk's logits are (as in Liger Kernel,
https://arxiv.org/abs/2410.10989): nothing is kept and nothing is computed twice.

`torch.nn.functional.linear_cross_entropy` is the library's form of this. Its chunked path (torch
2.13, CPU) adds the loss up in bfloat16, which gave 7.9 where 10.5 was right, and is slower.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Float32 logits held at once. Measured: large enough that adding up the weight's gradient, once a
# chunk, is cheap beside the products; small enough to matter for memory (docs/training.md).
CHUNK_BYTES = {"cpu": 32 * 2**20, "cuda": 1024 * 2**20}


def next_token_loss(
    hidden: Tensor, output_weight: Tensor, targets: Tensor, z_loss: float | None = None
) -> Tensor:
    """Mean cross entropy in nats a token, float32, shape ().

    Args:
        hidden: (batch, length, d_model), in the dtype of the matrix products.
        output_weight: (vocab_size, d_model), float32.
        targets: (batch, length), int64.
        z_loss: weight of the mean of log(Z)^2, Z being the softmax's denominator (PaLM, section 5,
            https://arxiv.org/abs/2204.02311). It is in the gradient only: the value that is
            returned stays the cross entropy, which runs with and without it are compared by.
    """
    loss: Tensor = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden.flatten(0, 1), output_weight, targets.flatten(), z_loss, torch.is_grad_enabled()
    )
    return loss


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        output_weight: Tensor,
        targets: Tensor,
        z_loss: float | None,
        with_gradient: bool,
    ) -> Tensor:
        weight = output_weight.to(hidden.dtype)
        budget = CHUNK_BYTES.get(hidden.device.type, CHUNK_BYTES["cpu"])
        num_rows = max(1, budget // (4 * len(weight)))
        loss = torch.zeros((), device=hidden.device)
        hidden_grad = torch.empty_like(hidden) if with_gradient else None
        weight_grad = torch.zeros_like(output_weight) if with_gradient else None
        for start in range(0, len(hidden), num_rows):
            chunk = hidden[start : start + num_rows]
            wanted = targets[start : start + num_rows, None]
            logits = F.linear(chunk, weight)
            log_probs = F.log_softmax(logits, dim=-1, dtype=torch.float32)
            loss -= log_probs.gather(1, wanted).sum()
            if hidden_grad is None or weight_grad is None:
                continue
            if z_loss is not None:  # log Z, whichever token it is read off
                log_z = logits[:, :1].float() - log_probs[:, :1]
            probs = log_probs.exp_()  # the gradient of a row is its probabilities less the target
            if z_loss is not None:
                probs *= 1 + 2 * z_loss * log_z
            probs.scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=probs.dtype))
            logits_grad = probs.to(hidden.dtype)
            torch.mm(logits_grad, weight, out=hidden_grad[start : start + num_rows])
            weight_grad += logits_grad.t() @ chunk
        if with_gradient:
            ctx.save_for_backward(hidden_grad, weight_grad)
        return loss / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden_grad, weight_grad = ctx.saved_tensors
        scale = grad_outputs[0] / len(hidden_grad)
        return hidden_grad * scale, weight_grad * scale, None, None, None
