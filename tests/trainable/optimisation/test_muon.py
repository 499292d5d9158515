"""Muon against its author's formulas (https://kellerjordan.github.io/posts/muon/) in float64, and
what our step adds: clipping, skipping, weight decay, which weights it is for."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token, muon_flops
from trainable.model.transformer import LanguageModel
from trainable.optimisation.optimizer import build_muon, build_optimizer, clipped_step

SETTINGS = {
    **{"d_model": 32, "num_heads": 2, "d_ff": 96, "num_layers": 2, "vocab_size": 20},
    **{"optimizer": "muon", "learning_rate": 1e-2, "min_learning_rate": 0.0, "max_steps": 50},
    **{"context_length": 16, "batch_size": 2},
}
CONFIG = TrainConfig.from_mapping(SETTINGS)
QUERY, UP = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.up_proj.weight"


def orthogonalised(matrix: Tensor) -> Tensor:
    """Five iterations of X <- a X + (b A + c A^2) X with A = X X^T, from X of norm 1."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.T).T
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def fill(model: LanguageModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator)


def take_step(model: LanguageModel, built: tuple[Any, Any], **settings: Any) -> None:
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in model.parameters()])
    settings = {"learning_rate": 1e-2, "grad_clip": None} | settings
    clipped_step(*built, **settings, grad_norm=norm, finite=torch.isfinite(norm))


def build(config: TrainConfig) -> tuple[LanguageModel, tuple[Any, Any]]:
    model = LanguageModel(config)
    return model, (build_optimizer(model, config), build_muon(model, config))


@pytest.mark.parametrize("name", [QUERY, UP])
@pytest.mark.parametrize("grad_clip", [None, 0.5])
def test_its_steps_are_the_authors(name: str, grad_clip: float | None) -> None:
    model, built = build(CONFIG)
    weight = dict(model.named_parameters())[name]
    momentum = torch.zeros_like(weight, dtype=torch.float64)
    for seed in range(4):
        fill(model, seed)
        gradient, before = weight.grad.double().clone(), weight.detach().double().clone()
        if grad_clip is not None:
            norm = torch.nn.utils.get_total_norm([w.grad for w in model.parameters()])
            gradient *= grad_clip / float(norm)
        take_step(model, built, grad_clip=grad_clip)
        momentum = 0.95 * momentum + gradient
        direction = orthogonalised(gradient + 0.95 * momentum)
        size = 1e-2 * 0.2 * max(weight.shape) ** 0.5  # https://arxiv.org/abs/2502.16982, eq. 4
        expected = before * (1 - 1e-2 * CONFIG.weight_decay) - size * direction
        assert (weight.double() - expected).norm() < 0.03 * size * direction.norm()  # bfloat16
    moved = (weight.double() - before).square().mean().sqrt().item()
    assert moved == pytest.approx(0.2 * 1e-2, rel=0.4), "as large as AdamW's"


def test_it_has_the_blocks_matrices_and_adamw_has_the_rest() -> None:
    model, (adamw, muon) = build(CONFIG)
    held = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in held}
    assert names == {n for n in dict(model.named_parameters()) if ".layers." in n and "proj" in n}
    others = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert held | others == {id(p) for p in model.parameters()} and not held & others


def test_a_non_finite_gradient_changes_nothing() -> None:
    model, built = build(CONFIG)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fill(model, 0)
    next(model.parameters()).grad[0, 0] = torch.nan
    take_step(model, built)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])


def test_under_mup_its_rate_falls_with_the_root_of_the_width() -> None:
    config = TrainConfig.from_mapping({**SETTINGS, "parametrisation": "mup", "base_width": 8})
    _, (_, muon) = build(config)
    assert [group["rate_scale"] for group in muon.param_groups] == [0.5]
    assert muon.param_groups[0]["weight_decay"] == pytest.approx(2 * config.weight_decay)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("parametrisation", ["standard", "mup"])
@pytest.mark.parametrize("learning_rate", [1e-3, 1e-2])
def test_independent_weight_decay_is_that_share_at_any_learning_rate(
    optimizer: str, parametrisation: str, learning_rate: float
) -> None:
    """https://arxiv.org/abs/2309.14322, section 3.1.3: scaled by the schedule, here at a half."""
    config = TrainConfig.from_mapping(
        {
            **{**SETTINGS, "optimizer": optimizer, "parametrisation": parametrisation},
            **{"learning_rate": learning_rate, "base_width": 8},
            **{"weight_decay": 1e-2, "independent_weight_decay": True},
        }
    )
    model, built = build(config)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    take_step(model, built, learning_rate=learning_rate / 2)
    for name, weight in model.named_parameters():
        share = 0.0 if weight.ndim == 1 else 1e-2 / 2
        torch.testing.assert_close(weight.detach(), before[name] * (1 - share))


def test_its_flops_are_those_that_torch_counts() -> None:
    model, (_, muon) = build(CONFIG)
    fill(model, 0)
    with FlopCounterMode(display=False) as counter:
        muon.step()
    assert muon_flops(CONFIG) == counter.get_total_flops()
    adamw = TrainConfig.from_mapping({**SETTINGS, "optimizer": "adamw"})
    assert flops_per_token(CONFIG) - flops_per_token(adamw) == muon_flops(CONFIG) // (2 * 16)
