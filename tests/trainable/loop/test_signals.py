"""What tells of divergence, against numbers that are taken in another way."""

from collections.abc import Callable

import pytest
import torch

from trainable.config import TrainConfig
from trainable.loop.signals import UpdateSize, largest_values
from trainable.loop.training import Trainer
from trainable.model.transformer import LanguageModel

MakeConfig = Callable[..., TrainConfig]


def test_the_update_is_measured_over_all_weights_together() -> None:
    weights = [torch.full((2, 2), 3.0), torch.full((5,), 4.0)]  # |w|^2 = 36 + 80
    update = UpdateSize(weights)
    weights[0] += 1  # |u|^2 = 4
    assert float(update.ratio()) == pytest.approx((4 / 116) ** 0.5)


def test_the_largest_values_are_those_of_the_forward_pass(tiny: MakeConfig) -> None:
    config = tiny()
    model = LanguageModel(config)
    windows = torch.randint(8, (3, 17), generator=torch.Generator().manual_seed(0))
    seen: list[float] = []
    for block in model.model.layers:
        block.register_forward_hook(
            lambda _, given, made: seen.extend(
                [float(given[0].abs().max()), float(made.abs().max())]
            )
        )
    with torch.no_grad():
        logits = model(windows[:, :-1])
    activation, logit = largest_values(model, windows, torch.float32, at_once=2)
    assert activation == pytest.approx(max(seen))
    assert logit == pytest.approx(float(logits.abs().max()))


def test_a_run_that_is_about_to_diverge_is_told_from_a_healthy_one(tiny: MakeConfig) -> None:
    healthy, wild = (
        [m for m in Trainer(tiny(learning_rate=rate)).train() if m is not None]
        for rate in (2e-3, 1.0)
    )
    for metrics in healthy:
        assert metrics.update_ratio is not None and 0 < metrics.update_ratio < 0.1
        assert (metrics.max_logit is None) == (metrics.val_loss is None)
    for one, other in zip(healthy, wild, strict=True):
        assert other.update_ratio is not None and other.update_ratio > 0
        if one.max_activation is not None:
            assert other.max_activation is not None and other.max_logit is not None
            assert other.max_activation > 2 * one.max_activation
