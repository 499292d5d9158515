import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

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


@given(max_steps=st.integers(1, 5000), warmup=st.floats(0, 0.999), step=st.integers(1, 10_000))
def test_it_stays_within_its_bounds(max_steps: int, warmup: float, step: int) -> None:
    config = schedule(max_steps=max_steps, warmup_steps=int(max_steps * warmup))
    rate = learning_rate_at(config, step)
    assert 0 < rate <= 1.0
    if step >= config.warmup_steps:
        assert rate >= 0.1 - 1e-12
        assert learning_rate_at(config, step + 1) <= rate + 1e-12
    else:
        assert learning_rate_at(config, step + 1) > rate
