"""Values near the source's: beside Tune's explore step, and within the space."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sweeper.errors import SpecError
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.space import AnyDomain
from sweeper.spec.train_settings import CHANGEABLE_IN_MID_RUN, TYPES
from sweeper.strategy.schedulers.exploration import _near, explore
from trainable.config import TrainConfig
from trainable.optimisation.optimizer import build_optimizer, restore_optimizer
from trainable.optimisation.schedule import learning_rate_at

PBT = {"type": "pbt", "interval_steps": 4}
LISTED = [0.1, 0.3, 0.9, 0.2]


def domain(**stated: Any) -> Any:
    return TypeAdapter(AnyDomain).validate_python(stated)


@settings(deadline=None)
@given(st.sampled_from(LISTED), st.floats(1e-4, 1e-2), st.integers(0, 1000))
def test_moves_to_where_tune_may_move(listed: float, real: float, seed: int) -> None:
    from ray import tune
    from ray.tune.schedulers.pbt import _explore

    possible: dict[str, set[float]] = {"listed": set(), "real": set()}
    before = random.getstate()
    for draw in range(40):  # of two ways each
        random.seed(draw)
        mutations = {"listed": LISTED, "real": tune.uniform(0, 1)}
        new, _ = _explore({"listed": listed, "real": real}, mutations, 0.0, (1.2, 0.8), None)
        possible["listed"].add(new["listed"])
        possible["real"].add(new["real"])
    random.setstate(before)
    rng = np.random.default_rng(seed)
    assert _near(domain(grid=LISTED), listed, rng, 0.0) in possible["listed"]
    assert _near(domain(uniform=[0, 1]), real, rng, 0.0) in possible["real"]


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            {"uniform": [0.0, 1.0]},
            {"uniform": [0.0, 1.0], "step": 0.1},
            {"loguniform": [1e-4, 1e-2]},
            {"randint": [3, 90]},
            {"randint": [3, 90], "step": 5},
            {"lograndint": [1, 1000]},
            {"choice": [1, 2, 3]},
            {"grid": {"low": {"beta1": 0.8}, "high": {"beta1": 0.9}}},
        ]
    ),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.25, 1.0]),
)
def test_stays_within_the_domain(stated: Any, seed: int, probability: float) -> None:
    swept = domain(**stated)
    rng = np.random.default_rng(seed)
    value = swept.sample(rng)
    for _ in range(20):
        value = _near(swept, value, rng, probability)
        if hasattr(swept, "values"):
            assert value in swept.values()
            continue
        low, high = swept.bounds()
        assert low <= value <= high
        if swept.step is not None:
            assert (value - low) / swept.step == pytest.approx(round((value - low) / swept.step))
        assert isinstance(value, int if "int" in next(iter(stated)) else float)


def test_is_a_function_of_seed_trial_and_rung(tiny_plan: Any) -> None:
    plan = tiny_plan(
        scheduler=PBT,
        space={"learning_rate": {"loguniform": [1e-4, 1e-2]}},
        search={"algorithm": "random", "num_trials": 2},
    )
    source = plan.trials[0]

    def explored(trial: int, rung: int) -> Any:
        values = source.suggestion.values
        return explore(plan.spec, values, source.config, trial=trial, rung=rung)

    assert explored(1, 4) == explored(1, 4)
    assert len({str(explored(*at)) for at in ((1, 4), (1, 8), (0, 4), (0, 8))}) > 1
    values, config = explored(1, 4)
    assert config.learning_rate == values["learning_rate"]
    assert config.train_data == source.config.train_data


def test_what_no_run_can_have_or_no_constraint_admits_is_drawn_again(tiny_plan: Any) -> None:
    plan = tiny_plan(
        scheduler={**PBT, "resample_probability": 0},
        space={
            "learning_rate": {"uniform": [1e-3, 1e-2]},
            "beta2": {"normal": [0.95, 0.01]},
            "weight_decay": {"grid": [0.1, 0.2, 0.3]},
        },
        constraints=[{"at_most": ["weight_decay", 0.2]}],
        search={"algorithm": "random", "num_trials": 5},
    )
    moved = 0
    for trial in plan.trials:
        for rung in range(4, 40, 4):
            values, config = explore(
                plan.spec, trial.suggestion.values, trial.config, trial=0, rung=rung
            )
            assert config.beta2 < 1
            assert config.weight_decay <= 0.2
            moved += values != trial.suggestion.values
    assert moved > 30


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"space": {"d_model": {"grid": [16, 32]}}},
            r"space\.d_model: d_model cannot change in a run, as pbt wants; it can sweep: learn",
        ),
        (
            {"space": {"size": {"grid": {"s": {"num_layers": 1, "beta1": 0.9}}}}},
            r"space\.size: num_layers cannot change in a run",
        ),
        ({"space": {"batch_size": {"grid": [4, 8]}}}, r"batch_size cannot change"),
        ({"seeds": [0, 1]}, r"seeds: pbt compares the trials of one seed; set train\.seed"),
        (
            {
                "space": {
                    "beta1": {"grid": [0.8, 0.9]},
                    "beta2": {"grid": [0.9, 0.95], "when": {"beta1": 0.8}},
                }
            },
            r"space\.beta2\.when: pbt cannot sweep on conditions; remove it",
        ),
        (
            {"scheduler": {**PBT, "clock": "tokens"}},
            r"scheduler\.clock: must be 'step', got 'tokens'",
        ),
        ({"scheduler": {"type": "pbt"}}, r"scheduler\.interval_steps: is required"),
        ({"scheduler": {**PBT, "quantile": 0.6}}, r"quantile: must be at most 0\.5, got 0\.6"),
        (
            {"scheduler": {"type": "pbt", "interval_steps": 16}},
            r"scheduler\.interval_steps: must be below max_steps \(16\), got 16",
        ),
        (
            {"train": {"checkpoint_every_steps": 3}},
            r"checkpoint_every_steps: must divide scheduler\.interval_steps \(4\), so that a",
        ),
    ],
)
def test_what_cannot_change_in_a_run_is_refused(
    write_space: Any, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_spec(write_space(**{"scheduler": PBT, **sections}))


def test_what_can_change_is_read_anew_by_a_run_that_goes_on(tmp_path: Path) -> None:
    """The optimiser of a checkpoint keeps its moments, not its settings; the rest are functions of
    the config, at each step."""
    import torch

    old = TrainConfig(max_steps=10, warmup_steps=2)
    new = TrainConfig(
        max_steps=10, warmup_steps=4, learning_rate=1e-2, min_learning_rate=1e-4, grad_clip=0.5,
        beta1=0.7, beta2=0.8, adam_epsilon=1e-6, weight_decay=0.3,
    )  # fmt: skip
    changed = {name for name in TYPES if getattr(old, name) != getattr(new, name)}
    assert changed == set(CHANGEABLE_IN_MID_RUN)
    module = torch.nn.Linear(2, 2)
    before, after = build_optimizer(module, old), build_optimizer(module, new)
    module.weight.grad, module.bias.grad = torch.ones(2, 2), torch.ones(2)
    before.step()
    restore_optimizer(after, before.state_dict())
    assert [group["betas"] for group in after.param_groups] == [(0.7, 0.8)] * 2
    assert [group["eps"] for group in after.param_groups] == [1e-6] * 2
    assert [group["weight_decay"] for group in after.param_groups] == [0.3, 0.0]
    assert torch.equal(
        after.state[module.weight]["exp_avg"], before.state[module.weight]["exp_avg"]
    )
    assert learning_rate_at(new, 4) == 1e-2
