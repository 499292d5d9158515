"""Proposed sizes fit the budget, tell parameters from tokens, and tell more where more is spent."""

import math

import numpy as np
import pytest

from sweeper.analysis.scaling.laws import ALIKE
from sweeper.analysis.scaling.proposing import (
    SHORTEST,
    Proposal,
    propose,
    propose_within,
    tokens_of,
)
from sweeper.errors import PredictionError, TooFewFlopsError
from trainable.config import TrainConfig
from trainable.model.model_size import flops_per_token, matrix_params

BASE = TrainConfig(
    d_model=64,
    num_heads=4,
    d_ff=172,
    num_layers=2,
    vocab_size=256,
    context_length=64,
    batch_size=8,
    max_steps=100,
    warmup_steps=5,
)
LARGE = (2_000_000, 40_000_000)


def proposal(flops: float, *large: int) -> Proposal:
    return propose(BASE, *(large or LARGE), num_rates=5, flops=flops)


@pytest.mark.parametrize("flops", [2e13, 1e14, 1e15])
def test_it_keeps_to_the_budget_and_to_what_a_law_needs(flops: float) -> None:
    told = proposal(flops)
    spent = 5 * sum(tokens_of(c) * flops_per_token(c) for c in told.configs)
    assert spent == pytest.approx(told.flops) and spent <= flops
    sizes = sorted({matrix_params(config) for config in told.configs})
    assert len(sizes) >= 3 and sizes[-1] <= LARGE[0] / 2
    for config in told.configs:
        assert config.head_dim == BASE.head_dim and config.num_layers == BASE.num_layers
        assert config.d_ff / config.d_model == pytest.approx(BASE.d_ff / BASE.d_model, rel=0.05)
        assert config.max_steps >= SHORTEST


def test_parameters_and_tokens_can_be_told_apart() -> None:
    configs = proposal(1e14).configs
    params, tokens = (np.log([f(c) for c in configs]) for f in (matrix_params, tokens_of))
    slope, level = np.polyfit(params, tokens, 1)
    assert np.abs(tokens - level - slope * params).max() > ALIKE


def test_batches_grow_with_the_tokens() -> None:
    first, *others = proposal(1e14).configs
    for config in others:
        grown = (tokens_of(config) / tokens_of(first)) ** 0.571
        assert config.batch_size / first.batch_size == pytest.approx(grown, rel=0.08)


def test_more_tells_more_and_a_farther_model_is_less_sure() -> None:
    widths = [proposal(flops).octaves for flops in (2e13, 1e14, 1e15)]
    assert widths == sorted(widths, reverse=True) and widths[-1] < widths[0]
    assert proposal(1e14, 124_000_000, 2_500_000_000).octaves > widths[1]


def test_too_small_a_budget_is_refused_with_what_is_enough() -> None:
    with pytest.raises(
        TooFewFlopsError, match=r"too few for three sizes of 2 layers: .*--flops"
    ) as e:
        proposal(1e9)
    assert proposal(e.value.least).flops == e.value.least, "exactly so many are enough"
    told = float(str(e.value).split("need ")[1].split(". ")[0])
    assert proposal(told).flops <= told, "what is told too"


@pytest.mark.parametrize("speed", [1e9, 1e12, 1e17])
def test_a_time_is_enough_or_not_at_the_speed_that_is_measured(speed: float) -> None:
    """The first guess is of a slow machine: on a fast one it is below any sweep."""

    def seconds_of(proposed: Proposal) -> float:
        return proposed.flops / speed

    with pytest.raises(TooFewFlopsError) as e:
        proposal(1e9)
    least = e.value.least / speed  # seconds
    told, taken = propose_within(proposal, seconds_of, least)
    assert (told.flops, taken) == (e.value.least, least)
    told, taken = propose_within(proposal, seconds_of, 20 * least)
    assert 0.3 * 20 * least < taken <= 20 * least
    with pytest.raises(PredictionError, match=rf"takes {math.ceil(least)} s here.*--time") as none:
        propose_within(proposal, seconds_of, least / 2)
    assert "--flops" not in str(none.value)


def test_a_target_without_smaller_sizes_is_refused() -> None:
    with pytest.raises(PredictionError, match="no three are small enough beside 50,000 parameters"):
        proposal(1e15, 50_000, 1_000_000)
