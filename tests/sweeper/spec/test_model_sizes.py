"""The sizes of a space, in their own order."""

from typing import Any

from sweeper.spec.model_sizes import sizes_in_order
from sweeper.spec.sweep_spec import SweepSpec


def order(space: dict[str, Any], **train: Any) -> dict[str, tuple[object, ...]]:
    return sizes_in_order(SweepSpec.model_validate({"name": "s", "space": space, "train": train}))


def test_bundles_stand_by_parameters_then_by_tokens() -> None:
    small, large = {"d_model": 16, "num_heads": 1, "max_steps": 90}, {"d_model": 64, "num_heads": 1}
    grid = {"large": large, "small-long": small | {"max_steps": 9000}, "small": small}
    assert order({"size": {"grid": grid}}) == {"size": ("small", "small-long", "large")}


def test_widths_stand_by_parameters() -> None:
    assert order({"d_model": {"grid": [256, 64, 128]}}) == {"d_model": (64, 128, 256)}


def test_what_makes_no_model_by_itself_keeps_its_order() -> None:
    space = {"d_model": {"grid": [96, 32]}, "num_heads": {"grid": [1, 2]}}
    assert order(space, num_heads=5)["d_model"] == (96, 32)


def test_other_names_are_no_sizes() -> None:
    space = {"learning_rate": {"grid": [1e-3, 1e-2]}, "optimizer": {"grid": ["adamw", "muon"]}}
    assert order(space) == {}
    assert order({"d_model": {"randint": [32, 64]}}) == {}, "a range lists none"
