"""The scales against the papers' tables, number by number, and at the base size against none."""

from collections.abc import Callable

import pytest
import torch

from trainable.config import TrainConfig
from trainable.loop.training import Trainer
from trainable.model.transformer import LanguageModel
from trainable.optimisation.optimizer import build_optimizer

MakeConfig = Callable[..., TrainConfig]

# 4 times as wide and 3 times as deep as the base; heads of 16 and of 8 at the base.
LARGER = {
    **{"d_model": 64, "num_heads": 4, "d_ff": 128, "num_layers": 6, "vocab_size": 500},
    **{"base_width": 16, "base_depth": 2, "base_head_dim": 8, "context_length": 32},
    **{"learning_rate": 1e-3, "min_learning_rate": 0.0, "max_steps": 50},
}
QUERY, DOWN = "model.layers.3.self_attn.q_proj.weight", "model.layers.3.mlp.down_proj.weight"
INNER_NORM = "model.layers.0.input_layernorm.weight"
EMBEDDING, OUTPUT, NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"

# Table 1 of arXiv 2505.01618 with alpha = 1, m = 4, l = 3: learning rate, weight decay and epsilon
# as multiples of those of the base.
TABLE = {
    "standard": dict.fromkeys((QUERY, DOWN, EMBEDDING, OUTPUT), (1, 1, 1))
    | dict.fromkeys((INNER_NORM, NORM), (1, 0, 1)),
    "mup": {
        **{QUERY: (1 / 4, 4, 1 / 4), DOWN: (1 / 4, 4, 1 / 4), INNER_NORM: (1, 0, 1 / 4)},
        **{EMBEDDING: (1, 1, 1 / 4), OUTPUT: (1, 1, 1 / 4), NORM: (1, 0, 1 / 4)},
    },
    "completep": {
        **{QUERY: (1 / 4, 4, 1 / 12), DOWN: (1 / 4, 4, 1 / 12), INNER_NORM: (1, 0, 1 / 12)},
        **{EMBEDDING: (1, 1, 1 / 4), OUTPUT: (1, 1, 1 / 4), NORM: (1, 0, 1 / 4)},
    },
}


@pytest.mark.parametrize("parametrisation", TABLE)
def test_the_optimisers_settings_are_the_tables(parametrisation: str) -> None:
    config = TrainConfig.from_mapping({**LARGER, "parametrisation": parametrisation})
    model = LanguageModel(config)
    found = {}
    for group in build_optimizer(model, config).param_groups:
        held = {id(parameter) for parameter in group["params"]}
        for name, parameter in model.named_parameters():
            if id(parameter) in held:
                decay = group["weight_decay"] / config.weight_decay
                found[name] = (group["rate_scale"], decay, group["eps"] / config.adam_epsilon)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, expected in TABLE[parametrisation].items():
        assert found[name] == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("parametrisation", "embedding", "query", "down"),
    [
        ("standard", 2 / (5 * 64), 2 / (5 * 64), 2 / (5 * 64) / 12),
        ("mup", 2 / (5 * 16), 2 / (5 * 16) / 4, 2 / (5 * 16) / 4 / 12),
        ("completep", 2 / (5 * 16), 2 / (5 * 16) / 4, 2 / (5 * 16) / 4 / 4),
    ],
)
def test_the_initial_variances_are_the_tables(
    parametrisation: str, embedding: float, query: float, down: float
) -> None:
    config = TrainConfig.from_mapping({**LARGER, "parametrisation": parametrisation})
    weights = dict(LanguageModel(config).named_parameters())
    expected = {EMBEDDING: embedding, OUTPUT: embedding, QUERY: query, DOWN: down}
    for name, variance in expected.items():
        assert weights[name].var().item() == pytest.approx(variance, rel=0.1), name


def test_the_scales_of_the_forward_pass_are_the_tables() -> None:
    """Against the same weights in a model without scales."""
    config = TrainConfig.from_mapping({**LARGER, "parametrisation": "completep"})
    model = LanguageModel(config)
    plain = LanguageModel(TrainConfig.from_mapping(LARGER))
    plain.load_state_dict(model.state_dict())
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        for name, weight in plain.named_parameters():
            if name.endswith("q_proj.weight"):
                weight *= 8**0.5 / 16 * 16**0.5  # base^1/2 / h in place of h^-1/2
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                weight /= 3
            elif name == OUTPUT:
                weight /= 4
        torch.testing.assert_close(model(tokens), plain(tokens), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parametrisation", ["mup", "completep"])
def test_at_the_base_size_it_is_the_same_run(tiny: MakeConfig, parametrisation: str) -> None:
    shape = {"d_model": 32, "num_heads": 2}
    base = {"base_width": 32, "base_depth": 2, "base_head_dim": 16}
    standard = Trainer(tiny(**shape))
    other = Trainer(tiny(**shape, **base, parametrisation=parametrisation))
    losses = [
        [m.train_loss for m in trainer.train() if m is not None] for trainer in (standard, other)
    ]
    assert losses[0] == losses[1]
    for name, weight in standard.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name
