"""The language model: a decoder with pre-norm RMSNorm, RoPE and SwiGLU, and no biases.

Its parameters bear the names and shapes of Hugging Face's Llama, so that a checkpoint of either is
one of the other. Matrix products run in the dtype of the hidden states; the weights stay float32
and are cast where they are used, which is `torch.autocast` without its bookkeeping on every call.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.attention import causal_attention
from trainable.model.operations import rms_norm, rotate
from trainable.model.parametrisation import (
    attention_scale,
    branch_scale,
    initial_deviation,
    output_scale,
)


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last dimension (https://arxiv.org/abs/1910.07467), times a scale
    that is not learned."""

    def __init__(self, size: int, epsilon: float, scale: float = 1.0) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.scale = scale
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, hidden: Tensor) -> Tensor:
        weight = self.weight if self.scale == 1 else self.weight * self.scale
        return rms_norm(hidden, weight.to(hidden.dtype), self.epsilon)


class Projection(nn.Module):
    """A matrix without a bias, shape (out, in), applied in the dtype of its input."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d_out, d_in))

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight.to(hidden.dtype))


class Rope(nn.Module):
    """Rotary position embedding (https://arxiv.org/abs/2104.09864), in the `rotate_half` layout."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        head_dim = config.head_dim
        pairs = torch.arange(0, head_dim, 2, dtype=torch.float32)
        frequencies = 1.0 / config.rope_theta ** (pairs / head_dim)
        angles = torch.outer(torch.arange(config.context_length).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def tables(self, start: int, length: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and sin of the positions start, ..., start + length - 1: (length, head_dim) each.

        Raises:
            ConfigError: positions past the context, which no angles were made for.
        """
        if start + length > len(self.cos):
            raise ConfigError(
                "context_length",
                f"must be at least {start + length} for so many tokens, got {len(self.cos)}",
            )
        window = slice(start, start + length)
        return self.cos[window].to(dtype), self.sin[window].to(dtype)


class KVCache:
    """Keys and values of the tokens already seen, one pair a layer, for generation."""

    def __init__(
        self, config: TrainConfig, batch_size: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (batch_size, config.kv_heads, config.context_length, config.head_dim)
        self.length = 0
        self._keys = [
            torch.empty(shape, dtype=dtype, device=device) for _ in range(config.num_layers)
        ]
        self._values = [
            torch.empty(shape, dtype=dtype, device=device) for _ in range(config.num_layers)
        ]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put new keys and values (batch, heads, new, head_dim) behind the old; all of them."""
        end = self.length + keys.shape[-2]
        self._keys[layer][:, :, self.length : end] = keys
        self._values[layer][:, :, self.length : end] = values
        return self._keys[layer][:, :, :end], self._values[layer][:, :, :end]


class Attention(nn.Module):
    """Heads in groups that share keys and values (https://arxiv.org/abs/2305.13245), each a group
    of its own as a rule; queries and keys of a norm of their own if so wanted
    (https://arxiv.org/abs/2302.05442; before RoPE, as in Qwen3)."""

    def __init__(self, config: TrainConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        self.heads_a_group = config.num_heads // config.kv_heads
        shared = config.kv_heads * config.head_dim
        self.q_proj = Projection(config.d_model, config.d_model)
        self.k_proj = Projection(config.d_model, shared)
        self.v_proj = Projection(config.d_model, shared)
        if config.qk_norm:
            self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
            self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.qk_norm = config.qk_norm
        self.scale = attention_scale(config)
        self.o_proj = Projection(config.d_model, config.d_model)

    def forward(
        self,
        hidden: Tensor,
        rope: tuple[Tensor, Tensor],
        cache: KVCache | None,
        seen: Tensor | None = None,
    ) -> Tensor:
        queries, keys, values = (
            projection(hidden).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.qk_norm:
            queries, keys = self.q_norm(queries), self.k_norm(keys)
        queries, keys = rotate(queries, *rope), rotate(keys, *rope)
        if cache is not None:
            keys, values = cache.extend(self.layer, keys, values)
        if self.heads_a_group > 1:
            keys = keys.repeat_interleave(self.heads_a_group, dim=1)
            values = values.repeat_interleave(self.heads_a_group, dim=1)
        mixed = causal_attention(queries, keys, values, self.scale, seen)
        output: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return output


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x)) (https://arxiv.org/abs/2002.05202)."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.gate_proj = Projection(config.d_model, config.d_ff)
        self.up_proj = Projection(config.d_model, config.d_ff)
        self.down_proj = Projection(config.d_ff, config.d_model)

    def forward(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return output


class Block(nn.Module):
    def __init__(self, config: TrainConfig, layer: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.d_model, config.rms_norm_eps)
        self.self_attn = Attention(config, layer)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.rms_norm_eps)
        self.mlp = FeedForward(config)
        self.scale = branch_scale(config)

    def forward(
        self,
        hidden: Tensor,
        rope: tuple[Tensor, Tensor],
        cache: KVCache | None,
        seen: Tensor | None = None,
    ) -> Tensor:
        attended = self.self_attn(self.input_layernorm(hidden), rope, cache, seen)
        hidden = torch.add(hidden, attended, alpha=self.scale)
        fed = self.mlp(self.post_attention_layernorm(hidden))
        return torch.add(hidden, fed, alpha=self.scale)


class Decoder(nn.Module):
    """All but the output projection."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.norm = RMSNorm(config.d_model, config.rms_norm_eps, output_scale(config))
        self.rope = Rope(config)

    def blocks(
        self, hidden: Tensor, cache: KVCache | None = None, seen: Tensor | None = None
    ) -> Tensor:
        """Embedded tokens to final hidden states, both (batch, length, d_model).

        Args:
            seen: what each position attends to (`within_documents`); None: all before it.
        """
        start = 0 if cache is None else cache.length
        rope = self.rope.tables(start, hidden.shape[1], hidden.dtype)
        for block in self.layers:
            hidden = block(hidden, rope, cache, seen)
        output: Tensor = self.norm(hidden)
        return output


class LanguageModel(nn.Module):
    """Llama's architecture (https://arxiv.org/abs/2302.13971); with QK-norm it is Qwen3's."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.model = Decoder(config)
        self.lm_head = (
            None if config.tie_embeddings else Projection(config.d_model, config.vocab_size)
        )
        self.initialise(config)

    @torch.no_grad()
    def initialise(self, config: TrainConfig) -> None:
        """Draw the weights from N(0, 2 / (5 d_model)), on the CPU: the same on every device
        (`parametrisation` has what differs).

        "Small init" of https://arxiv.org/abs/1910.05895, which gives unit-scale logits at every
        width; projections back into the residual stream are scaled by 1 / sqrt(2 num_layers) as in
        GPT-2, so that its variance does not grow with depth.
        """
        generator = torch.Generator().manual_seed(config.seed)
        for name, weight in self.named_parameters():
            if weight.ndim < 2:
                continue
            weight.normal_(0.0, initial_deviation(config, name), generator=generator)

    @property
    def output_weight(self) -> Tensor:
        """(vocab_size, d_model), float32."""
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states (…, d_model) to logits (…, vocab_size)."""
        return F.linear(hidden, self.output_weight.to(hidden.dtype))

    def embed(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """Token ids (batch, length) to hidden states in the dtype of the matrix products."""
        embedded: Tensor = self.model.embed_tokens(tokens)
        return embedded.to(dtype)

    def forward(
        self, tokens: Tensor, dtype: torch.dtype = torch.float32, cache: KVCache | None = None
    ) -> Tensor:
        """Logits (batch, length, vocab_size) of the token after each of `tokens`."""
        hidden = self.model.blocks(self.embed(tokens, dtype), cache)
        if cache is not None:
            cache.length += tokens.shape[1]
        return self.logits(hidden)
