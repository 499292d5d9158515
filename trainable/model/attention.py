"""Causal attention by the kernel that is fastest for its shape and device."""

import torch
import torch.nn.functional as F
from torch import Tensor

# On the CPU, the backward pass of torch's flash kernel in bfloat16 takes nine times as long as two
# plain products at length 64 and as long at about 512, from where the scores cost memory as well
# (measured on AVX-512 with head size 32; docs/training.md).
EXPLICIT_UP_TO_LENGTH = 512


def within_documents(tokens: Tensor, separator: int) -> Tensor:
    """What each position sees where documents are apart: itself and what is before it in its own
    document, to which the separator behind it belongs.

    Args:
        tokens: (batch, length) ids.

    Returns:
        bool, (batch, 1, length, length).
    """
    ended = (tokens == separator).cumsum(1)
    document = torch.cat((torch.zeros_like(ended[:, :1]), ended[:, :-1]), dim=1)
    together = document[:, :, None] == document[:, None, :]
    return together.tril()[:, None]


def causal_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    scale: float,
    seen: Tensor | None = None,
) -> Tensor:
    """softmax(scale q k^T) v, each position seeing itself and what is before it.

    Args:
        queries: (batch, heads, length, head_dim); keys and values likewise, or of a longer length
            where there is a single query, the last position.
        seen: bool, (batch, 1, length, length): what each position sees; None: all before it.
    """
    length = queries.shape[-2]
    if length == 1:
        return F.scaled_dot_product_attention(queries, keys, values, scale=scale)
    explicit = queries.device.type == "cpu" and queries.dtype == torch.bfloat16
    if explicit and length <= EXPLICIT_UP_TO_LENGTH:
        return _explicit_attention(queries, keys, values, scale, seen)
    if seen is not None:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen, scale=scale)
    return F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scale)


def _explicit_attention(
    queries: Tensor, keys: Tensor, values: Tensor, scale: float, seen: Tensor | None
) -> Tensor:
    length = queries.shape[-2]
    if seen is None:
        hidden = torch.full((length, length), -torch.inf, dtype=queries.dtype).triu(1)
    else:
        hidden = torch.zeros_like(seen, dtype=queries.dtype).masked_fill(~seen, -torch.inf)
        hidden = hidden.expand(*queries.shape[:2], -1, -1).flatten(0, 1)
    scores = torch.baddbmm(
        hidden,
        queries.flatten(0, 1),
        keys.flatten(0, 1).transpose(1, 2),
        alpha=scale,
    )
    return torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view_as(queries)
