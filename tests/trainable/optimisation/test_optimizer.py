"""Our one-pass step against torch's AdamW, loop form, after torch's own clipping."""

import pytest
import torch

from trainable.config import TrainConfig
from trainable.model.transformer import LanguageModel
from trainable.optimisation.optimizer import build_optimizer, clipped_step, restore_optimizer

CONFIG = TrainConfig.from_mapping(
    {"d_model": 16, "num_heads": 2, "d_ff": 32, "num_layers": 1, "vocab_size": 20, "max_steps": 50}
)


def fill_gradients(model: LanguageModel, seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = scale * torch.randn(weight.shape, generator=generator)


def step(optimizer: torch.optim.AdamW, model: LanguageModel, grad_clip: float | None) -> None:
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in model.parameters()])
    clipped_step(
        optimizer,
        learning_rate=3e-3,
        grad_clip=grad_clip,
        grad_norm=norm,
        finite=torch.isfinite(norm),
    )


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("grad_clip", [None, 1.0, 0.25])
def test_it_is_torchs_clipping_and_adamw(grad_clip: float | None, scale: float) -> None:
    ours, theirs = LanguageModel(CONFIG), LanguageModel(CONFIG)
    our_optimizer = build_optimizer(ours, CONFIG)
    matrices = [p for p in theirs.parameters() if p.ndim == 2]
    norms = [p for p in theirs.parameters() if p.ndim == 1]
    their_optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": norms, "weight_decay": 0.0}],
        lr=3e-3,
        betas=(0.9, 0.95),
        eps=1e-8,
        weight_decay=0.1,
        foreach=False,
    )
    for seed in range(5):
        fill_gradients(ours, seed, scale)
        fill_gradients(theirs, seed, scale)
        step(our_optimizer, ours, grad_clip)
        if grad_clip is not None:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), grad_clip)
        their_optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_non_finite_gradient_changes_nothing(bad: float) -> None:
    model = LanguageModel(CONFIG)
    optimizer = build_optimizer(model, CONFIG)
    fill_gradients(model, 0, 1.0)
    step(optimizer, model, 1.0)
    weights = [weight.detach().clone() for weight in model.parameters()]
    moments = [
        {name: value.clone() for name, value in state.items()}
        for state in optimizer.state_dict()["state"].values()
    ]
    fill_gradients(model, 1, 1.0)
    next(model.parameters()).grad[0, 0] = bad
    step(optimizer, model, 1.0)
    for weight, before in zip(model.parameters(), weights, strict=True):
        assert torch.equal(weight, before)
    for state, before in zip(optimizer.state_dict()["state"].values(), moments, strict=True):
        assert all(torch.equal(state[name], before[name]) for name in before)


def test_matrices_decay_and_norms_do_not() -> None:
    model = LanguageModel(CONFIG)
    optimizer = build_optimizer(model, CONFIG)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    step(optimizer, model, 1.0)
    for name, weight in model.named_parameters():
        expected = before[name] if "norm" in name else before[name] * (1 - 3e-3 * 0.1)
        torch.testing.assert_close(weight.detach(), expected)


def test_restored_moments_meet_this_runs_hyperparameters() -> None:
    model = LanguageModel(CONFIG)
    optimizer = build_optimizer(model, CONFIG)
    fill_gradients(model, 0, 1.0)
    step(optimizer, model, 1.0)
    changed = TrainConfig.from_mapping({**CONFIG.to_dict(), "weight_decay": 0.5, "beta2": 0.99})
    restored = build_optimizer(model, changed)
    restore_optimizer(restored, optimizer.state_dict())
    assert [group["weight_decay"] for group in restored.param_groups] == [0.5, 0.0]
    assert restored.param_groups[0]["betas"] == (0.9, 0.99)
    saved, ours = optimizer.state_dict()["state"], restored.state_dict()["state"]
    assert torch.equal(ours[0]["exp_avg"], saved[0]["exp_avg"])
