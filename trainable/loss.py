"""The loss: cross entropy of the next token, without the logits in memory where they are large."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions

# Measured (benchmarks/training.py): from about here the chunked form is the faster one as well as
# the smaller; below it, the plain form is (docs/training.md has the table).
CHUNKED_FROM_LOGITS = 128 * 2**20


def next_token_loss(hidden: Tensor, output_weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in nats a token, float32, shape ().

    Args:
        hidden: (batch, length, d_model), in the dtype of the matrix products.
        output_weight: (vocab_size, d_model), float32.
        targets: (batch, length), int64.
    """
    hidden, targets = hidden.flatten(0, 1), targets.flatten()
    weight = output_weight.to(hidden.dtype)
    if len(targets) * len(weight) < CHUNKED_FROM_LOGITS:
        return F.cross_entropy(F.linear(hidden, weight).float(), targets)
    options = LinearCrossEntropyOptions(acc_dtype=torch.float32)
    return F.linear_cross_entropy(hidden, weight, targets, options=options).float()
