"""Tokens that a model goes on with, one after another."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from trainable.config import TrainConfig
from trainable.model.transformer import KVCache, LanguageModel


@torch.inference_mode()
def generate_tokens(
    model: LanguageModel,
    config: TrainConfig,
    prompt: Sequence[int],
    *,
    num_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    end_of_text: int | None = None,
) -> Iterator[int]:
    """Tokens that go on from `prompt`, one after another, to `end_of_text` if that comes first.

    The keys and values of what was read are kept. Where the context is full its older half is let
    go and the newer one read again.

    Args:
        prompt: token ids, at least one; only the last context_length count.
        temperature: the logits are divided by it; 0 takes the likeliest token.
        top_p: sample from the smallest set of tokens with this much probability
            (https://arxiv.org/abs/1904.09751).
        end_of_text: the token after a text, which is not yielded; None: there is none.
    """
    device = model.output_weight.device
    generator = torch.Generator(device).manual_seed(seed)
    tokens = list(prompt)[-config.context_length :]
    unread, cache = tokens, KVCache(config, 1, torch.float32, device)
    for _ in range(num_tokens):
        if cache.length + len(unread) > config.context_length:
            unread = tokens[-max(1, config.context_length // 2) :]
            cache = KVCache(config, 1, torch.float32, device)
        logits = model(torch.tensor([unread], device=device), cache=cache)[0, -1]
        token = sample(logits, temperature=temperature, top_p=top_p, generator=generator)
        if token == end_of_text:
            return
        tokens.append(token)
        unread = [token]
        yield token


def sample(logits: Tensor, *, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """One token id from `logits`, shape (vocab_size,)."""
    if temperature == 0:
        return int(logits.argmax())
    # In float64 and from the largest down, so that no temperature makes infinities of them.
    scaled = ((logits - logits.max()).double() / temperature).to(logits.dtype)
    probs, order = torch.softmax(scaled, dim=-1).sort(descending=True)
    before = probs.cumsum(0) - probs  # the likeliest token stays whatever top_p is
    probs = probs.masked_fill(before >= top_p, 0.0)
    return int(order[torch.multinomial(probs, 1, generator=generator)])
