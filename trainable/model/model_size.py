"""How large a model is and how much arithmetic it needs, from its config alone (no torch)."""

from trainable.config import TrainConfig
from trainable.model.parametrisation import is_hidden_matrix


def num_params(config: TrainConfig) -> int:
    """Parameters of the model, its embeddings and norms included."""
    embedding = 0 if config.tie_embeddings else config.vocab_size * config.d_model
    return matrix_params(config) + embedding + norm_params(config)


def matrix_params(config: TrainConfig) -> int:
    """Parameters that multiply every token: the blocks' matrices and the output projection."""
    return block_matrix_params(config) + config.vocab_size * config.d_model


def block_matrix_params(config: TrainConfig) -> int:
    attention = 2 * config.d_model * (config.d_model + config.kv_heads * config.head_dim)
    feed_forward = 3 * config.d_model * config.d_ff
    return config.num_layers * (attention + feed_forward)


def norm_params(config: TrainConfig) -> int:
    of_heads = 2 * config.num_layers * config.head_dim if config.qk_norm else 0
    return (2 * config.num_layers + 1) * config.d_model + of_heads


def flops_per_token(config: TrainConfig) -> int:
    """Floating point operations of training on one token, forward and backward.

    6 for each parameter that multiplies it and 12 x layers x d_model x context_length for the
    attention scores (PaLM, appendix B, https://arxiv.org/abs/2204.02311; the causal half that a
    kernel may leave out is counted, as is customary). Muon's products are a step's, so a token has
    its share of them; what AdamW computes is too little to count.
    """
    attention_scores = 12 * config.num_layers * config.d_model * config.context_length
    of_a_step = muon_flops(config) if config.optimizer == "muon" else 0
    share = of_a_step // (config.batch_size * config.context_length)
    return 6 * matrix_params(config) + attention_scores + share


NEWTON_SCHULZ_STEPS = 5  # torch.optim.Muon's


def muon_flops(config: TrainConfig) -> int:
    """Of one step: of a matrix (long, short), each of Newton and Schulz's iterations multiplies it
    with itself, that with itself, and both (https://kellerjordan.github.io/posts/muon/)."""
    flops = 0
    for name, shape in weight_shapes(config).items():
        if is_hidden_matrix(name, len(shape)):
            short, long = sorted(shape)
            flops += NEWTON_SCHULZ_STEPS * (4 * short**2 * long + 2 * short**3)
    return flops


def weight_shapes(config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """The name of every parameter, which is Hugging Face's, and its shape."""
    width, inner, words = config.d_model, config.d_ff, config.vocab_size
    shared = config.kv_heads * config.head_dim
    of_a_block: dict[str, tuple[int, ...]] = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (shared, width),
        "self_attn.v_proj": (shared, width),
        "self_attn.o_proj": (width, width),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    if config.qk_norm:
        of_a_block |= dict.fromkeys(("self_attn.q_norm", "self_attn.k_norm"), (config.head_dim,))
    return {
        "model.embed_tokens.weight": (words, width),
        **{
            f"model.layers.{layer}.{name}.weight": shape
            for layer in range(config.num_layers)
            for name, shape in of_a_block.items()
        },
        "model.norm.weight": (width,),
        **({} if config.tie_embeddings else {"lm_head.weight": (words, width)}),
    }
