"""Values near the source's: beside Tune's explore step, and within the space."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import SpecError
from sweeper.spec.trainer.settings import OURS
from sweeper.strategy.schedulers.exploration import explore
from tests.sweeper.checked import load_checked
from trainable.config import TrainConfig
from trainable.optimisation.optimizer import build_optimizer, restore_optimizer
from trainable.optimisation.schedule import learning_rate_at

PBT = {"type": "pbt", "interval_steps": 4}


def test_is_a_function_of_seed_trial_and_rung(tiny_plan: Any) -> None:
    plan = tiny_plan(
        scheduler=PBT,
        space={"learning_rate": {"loguniform": [1e-4, 1e-2]}},
        search={"algorithm": "random", "num_trials": 2},
    )
    source = plan.trials[0]

    def explored(trial: int, rung: int) -> Any:
        values = source.values
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
            values, config = explore(plan.spec, trial.values, trial.config, trial=0, rung=rung)
            assert config.beta2 < 1
            assert config.weight_decay <= 0.2
            moved += values != trial.values
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
        load_checked(write_space(**{"scheduler": PBT, **sections}))


def test_what_can_change_is_read_anew_by_a_run_that_goes_on(tmp_path: Path) -> None:
    """The optimiser of a checkpoint keeps its moments, not its settings; the rest are functions of
    the config, at each step."""
    import torch

    old = TrainConfig(max_steps=10, warmup_steps=2)
    new = TrainConfig(
        max_steps=10, warmup_steps=4, learning_rate=1e-2, min_learning_rate=1e-4, grad_clip=0.5,
        beta1=0.7, beta2=0.8, adam_epsilon=1e-6, weight_decay=0.3, schedule="wsd",
        decay_fraction=0.4, decay_steps=3, decay_shape="linear",
    )  # fmt: skip
    changed = {name for name in OURS.types if getattr(old, name) != getattr(new, name)}
    assert changed == set(OURS.in_mid_run)
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
