"""Causal attention by the kernel that is fastest for its shape and device."""

import torch
import torch.nn.functional as F
from torch import Tensor

# On the CPU, the backward pass of torch's flash kernel in bfloat16 takes nine times as long as two
# plain products at length 64 and as long at about 512, from where the scores cost memory as well
# (measured on AVX-512 with head size 32; docs/training.md).
EXPLICIT_UP_TO_LENGTH = 512


def causal_attention(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """softmax(scale q k^T) v, each position seeing itself and what is before it.

    Args:
        queries: (batch, heads, length, head_dim); keys and values likewise, or of a longer length
            where there is a single query, the last position.
    """
    length = queries.shape[-2]
    if length == 1:
        return F.scaled_dot_product_attention(queries, keys, values, scale=scale)
    explicit = queries.device.type == "cpu" and queries.dtype == torch.bfloat16
    if explicit and length <= EXPLICIT_UP_TO_LENGTH:
        return _explicit_attention(queries, keys, values, scale)
    return F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scale)


def _explicit_attention(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    length = queries.shape[-2]
    future = torch.full((length, length), -torch.inf, dtype=queries.dtype).triu(1)
    scores = torch.baddbmm(
        future,
        queries.flatten(0, 1),
        keys.flatten(0, 1).transpose(1, 2),
        alpha=scale,
    )
    return torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view_as(queries)
