"""Each size's best learning rate is found by itself, and what keeps one from it is told."""

import math
from dataclasses import replace

import pytest

from sweeper.analysis.scaling.sizes import sizes_of
from sweeper.errors import PredictionError
from sweeper.spec.sweep_spec import SweepSpec
from tests.sweeper.analysis.scaling.truths import (
    RATES,
    SHAPES,
    STEPS,
    best_loss,
    best_rate,
    sweep_over_sizes,
    swept,
)


def test_each_size_has_its_best_and_its_loss() -> None:
    found = sizes_of(sweep_over_sizes())
    assert not found.left_out and found.metric == "val_loss"
    assert [size.params for size in found.known] == [33280, 164608, 625664, 1376256]
    assert [size.batch_tokens for size in found.known] == [512, 1024, 2048, 4096]
    for size in found.known:
        assert size.tokens == STEPS[name_of(size.batch_tokens)] * size.batch_tokens
        off = size.log_rate - math.log(best_rate(size.params, size.tokens))
        assert abs(off) < 3 * size.deviation and size.deviation < 0.5
        assert size.loss == pytest.approx(best_loss(size.params, size.tokens), rel=0.005)


def name_of(batch_tokens: int) -> str:
    return next(name for name, shape in SHAPES.items() if shape["batch_size"] * 64 == batch_tokens)


def test_a_size_is_not_drawn_to_the_others() -> None:
    """Alone or beside three others, it has the same best."""
    alone = sizes_of(sweep_over_sizes(shapes=["s"], noise=0.0)).known
    beside = sizes_of(sweep_over_sizes(noise=0.0)).known
    assert alone[0] == beside[0]


def test_horizons_of_one_model_are_sizes_of_their_own() -> None:
    long = sweep_over_sizes(shapes=["s"], steps={"s": 1600})
    both = sweep_over_sizes(shapes=["s"])
    more = [replace(t, trial_id=f"long{t.trial_id}") for t in long.trials]
    found = sizes_of(replace(both, trials=(*both.trials, *more))).known
    assert [(size.params, size.tokens) for size in found] == [(33280, 204800), (33280, 819200)]


def test_a_best_at_the_edge_is_left_out_with_what_would_tell_it() -> None:
    sweep = sweep_over_sizes(rate=lambda params, tokens: 4e-2 if params < 1e5 else 1e-3)
    spec = SweepSpec.model_validate(
        {
            "name": "transfer",
            "space": {"size": {"grid": dict(SHAPES)}, "learning_rate": {"grid": list(RATES)}},
        }
    )
    (left,) = sizes_of(replace(sweep, spec=spec)).left_out
    assert left.params == 33280
    assert "edge of what was tried, or above 0.016" in left.why
    assert left.remedy.startswith("python -m sweeper run runs/transfer/sweep.yaml --set")
    (bare,) = sizes_of(sweep).left_out
    assert bare.remedy == "sweep learning_rate above 0.016 too"


def test_too_few_learning_rates_at_their_ends_say_nothing() -> None:
    sweep = sweep_over_sizes(rates=RATES[2:5])
    found = sizes_of(sweep)
    assert not found.known and len(found.left_out) == 4
    assert "fewer than 4 of its learning rates came to their ends" in found.left_out[0].why


def test_bits_per_byte_are_a_loss_and_perplexity_is_read_as_one() -> None:
    bits = replace(sweep_over_sizes(), metric="val_bits_per_byte")
    assert sizes_of(bits).metric == "val_bits_per_byte"
    perplexity = sweep_over_sizes()
    worse = tuple(
        replace(
            t, evaluations=tuple(replace(e, value=math.exp(e.loss or 0)) for e in t.evaluations)
        )
        for t in perplexity.trials
    )
    told = sizes_of(replace(perplexity, metric="val_perplexity", trials=worse))
    assert told.metric == "val_loss" and told.known == sizes_of(perplexity).known


def test_a_sweep_without_learning_rates_is_refused() -> None:
    sweep = sweep_over_sizes()
    other = replace(sweep, parameters=(sweep.parameters[0], swept("warmup_steps", "log", (1, 10))))
    with pytest.raises(
        PredictionError,
        match=r"transfer: not a sweep over learning rates: `space` has size, warmup_steps\. Sweep",
    ):
        sizes_of(other)


def test_several_parametrisations_are_refused() -> None:
    both = [sweep_over_sizes(parametrisation=kind) for kind in ("standard", "mup")]
    mixed = replace(both[0], trials=(*both[0].trials, *both[1].trials))
    with pytest.raises(PredictionError, match=r"mup, standard.*--set train.parametrisation=mup"):
        sizes_of(mixed)


def test_a_sweep_that_has_not_begun_is_refused() -> None:
    with pytest.raises(PredictionError, match="no trial has been evaluated yet"):
        sizes_of(replace(sweep_over_sizes(), trials=()))
