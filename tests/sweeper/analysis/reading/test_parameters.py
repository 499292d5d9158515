"""The axes of a summary."""

import pytest

from sweeper.analysis.reading.parameters import of_space, of_values
from sweeper.spec.domains.listed import Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogUniform, RandInt
from sweeper.spec.domains.scale import scale_of


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [
        ([3e-4, 6e-4, 1.2e-3], "log"),
        ([1e-4, 1e-3, 1e-2], "log"),
        ([10, 20, 30], "linear"),
        ([0, 15, 30, 60, 120, 240], "linear"),  # 0 has no logarithm
        ([1, 2], "log"),
        ([10, 11], "linear"),
        ([5], "linear"),
    ],
)
def test_listed_numbers_are_on_the_scale_that_spaces_them_evenly(
    numbers: list[float], scale: str
) -> None:
    assert scale_of(numbers) == scale


def test_a_range_has_the_scale_and_the_ends_of_its_domain() -> None:
    rate, warmup, decay = of_space(
        {
            "learning_rate": LogUniform(loguniform=[1e-4, 1e-2]),
            "warmup_steps": RandInt(randint=[0, 100]),
            "weight_decay": Normal(normal=[0.1, 0.05]),
        }
    )
    assert (rate.scale, rate.low, rate.high, rate.least) == ("log", 1e-4, 1e-2, None)
    assert (warmup.scale, warmup.low, warmup.high, warmup.least) == ("linear", 0, 100, 0)
    assert (decay.scale, decay.low, decay.high) == ("linear", None, None)


def test_names_words_and_switches_are_categories() -> None:
    bundles = Grid(grid={"small": {"d_model": 16}, "large": {"d_model": 32}})
    size, compile_ = of_space({"size": bundles, "compile": Grid(grid=[True, False])})
    assert (size.scale, size.options) == ("category", ("small", "large"))
    assert compile_.scale == "category"


def test_what_was_tried_stands_in_for_a_space_that_is_gone() -> None:
    [rate] = of_values({"learning_rate": [1e-2, 1e-4, 1e-3, 1e-4]})
    assert (rate.scale, rate.low, rate.high) == ("log", 1e-4, 1e-2)
