"""Values derived from one another."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.spec.train_settings import Derived, derivation_cycle, derive
from sweeper.spec.trainer.settings import OURS
from trainable.config import TrainConfig
from trainable.errors import ConfigError


def derived(times: float, of: str) -> Derived:
    return Derived(times=times, of=of)


def test_whole_settings_get_the_nearest_whole_number_and_others_the_product() -> None:
    stated = {"max_steps": 575, "warmup_steps": derived(0.02, "max_steps")}
    assert derive(stated, OURS.types) == {"max_steps": 575, "warmup_steps": 12}  # 11.5
    stated = {"learning_rate": 0.25, "min_learning_rate": derived(0.5, "learning_rate")}
    assert derive(stated, OURS.types) == {"learning_rate": 0.25, "min_learning_rate": 0.125}


decimals = st.decimals(-1000, 1000, places=4, allow_nan=False)


@given(decimals, decimals)
def test_a_product_is_that_of_the_decimals_as_they_are_written(times: Any, factor: Any) -> None:
    """In binary 3 × 0.1 is 0.30000000000000004."""
    stated = {
        "learning_rate": float(factor),
        "weight_decay": derived(float(times), "learning_rate"),
    }
    assert derive(stated, OURS.types)["weight_decay"] == float(times * factor)
    stated = {"learning_rate": float(factor), "max_steps": derived(float(times), "learning_rate")}
    assert derive(stated, OURS.types)["max_steps"] == round(times * factor)


@pytest.mark.parametrize("name", ["weight_decay", "max_steps"])
@pytest.mark.parametrize("factor", [1e308, 2**63, -1e308])
def test_a_product_may_be_larger_than_any_float(name: str, factor: float) -> None:
    stated = {"learning_rate": factor, name: derived(1e308, "learning_rate")}
    with pytest.raises(ConfigError, match="must be "):
        TrainConfig.from_mapping(derive(stated, OURS.types))


@given(st.permutations(["max_steps", "warmup_steps", "eval_every_steps"]))
def test_a_chain_is_worked_out_in_whatever_order_it_is_written(order: list[str]) -> None:
    stated: dict[str, Any] = {
        "max_steps": 1000,
        "warmup_steps": derived(0.1, "max_steps"),
        "eval_every_steps": derived(0.5, "warmup_steps"),
    }
    wanted = {"max_steps": 1000, "warmup_steps": 100, "eval_every_steps": 50}
    assert derive({name: stated[name] for name in order}, OURS.types) == wanted


def test_what_is_derived_from_null_is_null() -> None:
    assert derive({"grad_clip": None, "weight_decay": derived(2, "grad_clip")}, OURS.types) == {
        "grad_clip": None,
        "weight_decay": None,
    }


def test_a_cycle_is_told_by_each_name_in_it_and_by_no_other() -> None:
    stated = {
        "warmup_steps": derived(1, "eval_every_steps"),
        "eval_every_steps": derived(1, "log_every_steps"),
        "log_every_steps": derived(1, "eval_every_steps"),
        "seed": derived(1, "seed"),
        "d_ff": derived(4, "d_model"),
    }
    assert derivation_cycle(stated, "eval_every_steps") == [
        "eval_every_steps", "log_every_steps", "eval_every_steps",
    ]  # fmt: skip
    assert derivation_cycle(stated, "seed") == ["seed", "seed"]
    assert derivation_cycle(stated, "warmup_steps") is None
    assert derivation_cycle(stated, "d_ff") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("d_model", True), ("grad_clip", True), ("compile", False), ("dtype", False)],
)
def test_numbers_are_told_from_other_settings(name: str, expected: bool) -> None:
    assert OURS.is_number(name) is expected


def test_the_defaults_are_all_but_the_data() -> None:
    assert OURS.defaults["d_model"] == 512
    assert not {"train_data", "val_data"} & set(OURS.defaults)
