"""The model against `transformers`' Llama and Qwen3, which nobody here wrote."""

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model.loss import next_token_loss
from trainable.model.model_size import flops_per_token, num_params, weight_shapes
from trainable.model.transformer import KVCache, LanguageModel
from trainable.weights.llama_config import llama_config

# Float32 has 24 bits; a few hundred additions in another order leave about this much, relative to
# the largest of them.
FLOAT32_ROUNDING = 2e-6

SHAPES = [
    {"d_model": 16, "num_heads": 1, "d_ff": 24, "num_layers": 1, "vocab_size": 11},
    {"d_model": 32, "num_heads": 4, "d_ff": 96, "num_layers": 3, "vocab_size": 50},
    {"d_model": 64, "num_heads": 2, "d_ff": 128, "num_layers": 2, "vocab_size": 300},
    {"d_model": 48, "num_heads": 8, "d_ff": 40, "num_layers": 2, "rope_theta": 500.0},
    {"d_model": 32, "num_heads": 4, "d_ff": 96, "num_layers": 2, "rms_norm_eps": 0.3},
    {"d_model": 32, "num_heads": 4, "num_kv_heads": 2, "d_ff": 64, "num_layers": 2},
    {"d_model": 32, "num_heads": 4, "num_kv_heads": 1, "d_ff": 64, "num_layers": 1},
    {"d_model": 32, "num_heads": 2, "d_ff": 64, "num_layers": 2, "tie_embeddings": True},
    {"d_model": 32, "num_heads": 2, "d_ff": 64, "num_layers": 2, "qk_norm": True},
    {
        **{"d_model": 64, "num_heads": 8, "num_kv_heads": 4, "d_ff": 64, "num_layers": 2},
        **{"qk_norm": True, "tie_embeddings": True, "rms_norm_eps": 0.1, "rope_theta": 300.0},
    },
]


def shape(**settings: object) -> TrainConfig:
    return TrainConfig.from_mapping({"context_length": 32, "vocab_size": 64, **settings})


def reference(config: TrainConfig, model: LanguageModel) -> PreTrainedModel:
    described = llama_config(config)
    if config.qk_norm:
        theirs: PreTrainedModel = Qwen3ForCausalLM(Qwen3Config(**described)).float()
    else:
        theirs = LlamaForCausalLM(LlamaConfig(**described)).float()
    weights = {"lm_head.weight": model.output_weight, **model.state_dict()}
    theirs.load_state_dict(weights)  # strict: the names and shapes are theirs
    return theirs


def assert_close(
    ours: torch.Tensor, theirs: torch.Tensor, *, scale: torch.Tensor | None = None
) -> None:
    scale = theirs.abs().max() if scale is None else scale
    assert (ours - theirs).abs().max() <= FLOAT32_ROUNDING * scale


@pytest.mark.parametrize("length", [1, 5, 32])
@pytest.mark.parametrize("settings", SHAPES)
def test_logits_loss_and_gradients_are_llamas(settings: dict[str, int], length: int) -> None:
    config = shape(**settings)
    model = LanguageModel(config)
    with torch.no_grad():  # no weight at the 1 that it begins with
        for number, weight in enumerate(w for w in model.parameters() if w.ndim == 1):
            weight.normal_(1, 0.2, generator=torch.Generator().manual_seed(number))
    llama = reference(config, model)
    windows = torch.randint(
        config.vocab_size, (3, length + 1), generator=torch.Generator().manual_seed(0)
    )
    inputs, targets = windows[:, :-1], windows[:, 1:]

    theirs = llama(input_ids=inputs).logits
    assert_close(model(inputs), theirs)

    hidden = model.model.blocks(model.embed(inputs, torch.float32))
    loss = next_token_loss(hidden, model.output_weight, targets)
    their_loss = torch.nn.functional.cross_entropy(theirs.flatten(0, 1), targets.flatten())
    assert_close(loss, their_loss)

    loss.backward()
    their_loss.backward()
    their_gradients = {name: weight.grad for name, weight in llama.named_parameters()}
    largest = max(gradient.abs().max() for gradient in their_gradients.values())
    for name, weight in model.named_parameters():
        assert_close(weight.grad, their_gradients[name], scale=largest)


def test_bfloat16_products_stay_near_float32() -> None:
    config = shape(**SHAPES[2])
    model = LanguageModel(config)
    tokens = torch.arange(32)[None]
    exact, rounded = model(tokens), model(tokens, torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    assert 0 < (rounded.float() - exact).abs().max() < 0.05


def test_a_token_sees_nothing_behind_it() -> None:
    config = shape(**SHAPES[1])
    model = LanguageModel(config)
    tokens = torch.arange(20)[None]
    changed = tokens.clone()
    changed[0, 12] = 49
    before, after = model(tokens), model(changed)
    assert torch.equal(before[0, :12], after[0, :12])
    assert not torch.equal(before[0, 12:], after[0, 12:])


@pytest.mark.parametrize("settings", [SHAPES[1], SHAPES[-1]])
def test_the_cache_gives_the_logits_of_the_whole_sequence(settings: dict[str, int]) -> None:
    config = shape(**{**settings, "vocab_size": 50})
    model = LanguageModel(config)
    tokens = torch.randint(50, (2, 12), generator=torch.Generator().manual_seed(3))
    cache = KVCache(config, 2, torch.float32, torch.device("cpu"))
    pieces = [model(tokens[:, :7], cache=cache)]
    pieces += [model(tokens[:, i : i + 1], cache=cache) for i in range(7, 12)]
    assert_close(torch.cat(pieces, dim=1), model(tokens))


def test_tokens_past_the_context_are_refused() -> None:
    config = shape(**SHAPES[1])
    model = LanguageModel(config)
    message = "context_length: must be at least 33 for so many tokens, got 32"
    with pytest.raises(ConfigError, match=message):
        model(torch.zeros(1, 33, dtype=torch.int64))
    cache = KVCache(config, 1, torch.float32, torch.device("cpu"))
    model(torch.zeros(1, 32, dtype=torch.int64), cache=cache)
    with pytest.raises(ConfigError, match=message):
        model(torch.zeros(1, 1, dtype=torch.int64), cache=cache)


@pytest.mark.parametrize("settings", SHAPES)
def test_num_params_and_shapes_are_known_without_building(settings: dict[str, int]) -> None:
    config = shape(**settings)
    built = {name: tuple(weight.shape) for name, weight in LanguageModel(config).named_parameters()}
    assert weight_shapes(config) == built
    assert num_params(config) == sum(p.numel() for p in LanguageModel(config).parameters())


def test_flops_are_six_for_each_weight_that_multiplies_a_token_and_the_scores() -> None:
    """https://arxiv.org/abs/2204.02311, appendix B, counted on a model's own weights."""
    for settings in SHAPES:
        config = shape(**settings)
        model = LanguageModel(config)
        products = [w.numel() for w in model.model.layers.parameters() if w.ndim == 2]
        products.append(model.output_weight.numel())
        scores = 12 * config.num_layers * config.d_model * config.context_length
        assert flops_per_token(config) == 6 * sum(products) + scores


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"num_kv_heads: must divide num_heads \(4\), got 3"):
        shape(**{**SHAPES[1], "num_kv_heads": 3})


def test_initial_weights_follow_the_seed_and_the_width() -> None:
    config = shape(d_model=256, num_heads=4, num_layers=2, d_ff=512)
    model, again = LanguageModel(config), LanguageModel(config)
    other = LanguageModel(shape(d_model=256, num_heads=4, num_layers=2, d_ff=512, seed=1))
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(model.lm_head.weight, other.lm_head.weight)
    std = (2 / (5 * 256)) ** 0.5
    assert model.lm_head.weight.std().item() == pytest.approx(std, rel=0.02)
    block = model.model.layers[0]
    assert block.mlp.down_proj.weight.std().item() == pytest.approx(std / 2, rel=0.02)  # 1/sqrt(4)
    tokens = torch.randint(64, (8, 32), generator=torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(
        model(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
    )
    assert loss.item() == pytest.approx(torch.tensor(64.0).log().item() + 0.2, abs=0.15)
