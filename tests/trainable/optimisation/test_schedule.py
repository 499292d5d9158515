import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.optimisation.schedule import learning_rate_at


def schedule(**settings: object) -> TrainConfig:
    return TrainConfig.from_mapping(
        {"learning_rate": 1.0, "min_learning_rate": 0.1, "max_steps": 100, **settings}
    )


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.0), (1, 0.05), (19, 0.95), (20, 1.0), (60, 0.55), (100, 0.1), (101, 0.1), (10**9, 0.1)],
)
def test_the_edges_in_closed_form(step: int, expected: float) -> None:
    assert learning_rate_at(schedule(warmup_steps=20), step) == pytest.approx(expected, abs=1e-12)


def test_without_warmup_it_starts_at_the_peak() -> None:
    config = schedule(warmup_steps=0)
    assert learning_rate_at(config, 0) == 1.0
    assert learning_rate_at(config, 50) == pytest.approx(0.55)


@pytest.mark.parametrize("warmup_steps", [100, 101])
def test_warmup_that_never_ends_is_refused(warmup_steps: int) -> None:
    with pytest.raises(ConfigError, match=r"warmup_steps: must be below max_steps \(100\), got"):
        schedule(warmup_steps=warmup_steps)


def test_it_is_torchs_linear_warmup_and_cosine() -> None:
    config = schedule(warmup_steps=20)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = SequentialLR(
        optimizer,
        [
            LinearLR(optimizer, start_factor=1 / 20, total_iters=19),
            CosineAnnealingLR(optimizer, T_max=80, eta_min=0.1),
        ],
        milestones=[20],
    )
    # Theirs counts from the peak's step again where the cosine begins, ours goes on one later.
    warmup, cosine = [], []
    for step in range(101):
        (warmup if step < 20 else cosine).append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert [learning_rate_at(config, n) for n in range(1, 21)] == pytest.approx(warmup, rel=1e-6)
    assert [learning_rate_at(config, n) for n in range(20, 101)] == pytest.approx(cosine, rel=1e-6)


def rates(build: Callable[[torch.optim.Optimizer], LRScheduler]) -> list[float]:
    """The learning rates of steps 1 to 100 under a scheduler of transformers', whose first is 0."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = build(optimizer)
    found = []
    for _ in range(100):
        optimizer.step()
        scheduler.step()
        found.append(float(scheduler.get_last_lr()[0]))
    return found


@pytest.mark.parametrize("warmup_steps", [0, 20])
@pytest.mark.parametrize("shape", ["1-sqrt", "linear", "cosine"])
@pytest.mark.parametrize("decay", [{"decay_steps": 30}, {"decay_fraction": 0.295}])
def test_wsd_is_transformers(warmup_steps: int, shape: str, decay: dict[str, float]) -> None:
    config = schedule(schedule="wsd", warmup_steps=warmup_steps, decay_shape=shape, **decay)
    peak, least = 1.0, 0.1
    theirs = rates(
        lambda optimizer: get_wsd_schedule(
            optimizer,
            num_warmup_steps=warmup_steps,
            num_decay_steps=30,
            num_training_steps=100,
            decay_type=shape,
            min_lr_ratio=0.0,  # theirs begins a warmup there, too
        )
    )
    expected = [
        rate if step < warmup_steps else least + rate * (peak - least)
        for step, rate in enumerate(theirs, start=1)
    ]
    assert [learning_rate_at(config, n) for n in range(1, 101)] == pytest.approx(expected)


def test_the_others_are_transformers() -> None:
    settings = {"warmup_steps": 20, "min_learning_rate": 0.0}
    references: dict[str, Callable[[torch.optim.Optimizer], LRScheduler]] = {
        "constant": lambda optimizer: get_constant_schedule_with_warmup(optimizer, 20),
        "linear": lambda optimizer: get_linear_schedule_with_warmup(optimizer, 20, 100),
        "cosine": lambda optimizer: get_cosine_with_min_lr_schedule_with_warmup(
            optimizer, 20, 100, min_lr=0.0
        ),
    }
    for name, reference in references.items():
        config = schedule(schedule=name, **settings)
        ours = [learning_rate_at(config, step) for step in range(1, 101)]
        assert ours == pytest.approx(rates(reference), abs=1e-12), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"decay_steps": 81},
            r"decay_steps: must leave warmup_steps \(20\) of max_steps",
        ),
        ({"decay_steps": 200}, r"decay_steps: must leave .* got 200"),
        ({"decay_fraction": 0.81}, r"decay_fraction: must leave .* got 0.81"),
        ({"decay_fraction": 1.5}, r"decay_fraction: must be at most 1, got 1.5"),
    ],
)
def test_a_decay_that_begins_before_the_peak_is_refused(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        schedule(schedule="wsd", warmup_steps=20, **settings)


def test_a_longer_run_under_wsd_is_the_same_until_the_shorter_ones_decay() -> None:
    """To the last bit, with its last step at the peak, which sums of floats may miss."""
    short, long = (
        schedule(
            schedule="wsd",
            warmup_steps=10,
            max_steps=steps,
            decay_steps=40,
            learning_rate=1.2e-4,
            min_learning_rate=5.1e-5,
        )
        for steps in (100, 400)
    )
    assert 5.1e-5 + 1.0 * (1.2e-4 - 5.1e-5) != 1.2e-4
    assert [learning_rate_at(short, n) for n in range(61)] == [
        learning_rate_at(long, n) for n in range(61)
    ]
    assert learning_rate_at(short, 61) < learning_rate_at(long, 61)


@given(
    name=st.sampled_from(["cosine", "linear", "wsd", "constant"]),
    shape=st.sampled_from(["1-sqrt", "linear", "cosine"]),
    max_steps=st.integers(1, 5000),
    warmup=st.floats(0, 0.79),
    step=st.integers(1, 10_000),
)
def test_it_stays_within_its_bounds(
    name: str, shape: str, max_steps: int, warmup: float, step: int
) -> None:
    config = schedule(
        schedule=name,
        decay_shape=shape,
        decay_fraction=0.2,
        max_steps=max_steps,
        warmup_steps=int((max_steps - math.ceil(max_steps * 0.2)) * warmup),
    )
    rate = learning_rate_at(config, step)
    assert 0 < rate <= 1.0
    if step >= config.warmup_steps:
        assert rate >= 0.1 - 1e-12
        assert learning_rate_at(config, step + 1) <= rate + 1e-12
    else:
        assert learning_rate_at(config, step + 1) > rate
