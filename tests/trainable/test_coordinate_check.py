from pathlib import Path

import pytest

from trainable import coordinate_check
from trainable.coordinate_check import Sizes, activation_sizes


def test_a_slope_is_the_power_of_the_width() -> None:
    sizes = Sizes((2, 4, 8), {"constant": (3.0, 3.0, 3.0), "root": (2**0.5, 2.0, 8**0.5)})
    assert sizes.slopes() == pytest.approx({"constant": 0.0, "root": 0.5})


@pytest.mark.parametrize("parametrisation", ["mup", "completep"])
def test_activations_keep_their_size(parametrisation: str) -> None:
    """The part that the initial weights have in them falls with the root of the width, which shows
    at small widths; nothing may grow."""
    sizes = activation_sizes(parametrisation, (64, 128, 256), steps=8, learning_rate=1e-2)
    slopes = sizes.slopes()
    assert {name: slope for name, slope in slopes.items() if slope > 0.1} == {}
    assert slopes["block 0"] > -0.25 and slopes["block 1"] > -0.25


def test_under_the_standard_one_they_grow() -> None:
    sizes = activation_sizes("standard", (64, 128, 256), steps=4, learning_rate=1e-2)
    grown = [name for name, slope in sizes.slopes().items() if slope > 0.7]
    assert "block 1" in grown and "attention 1" in grown


def test_it_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "check.png"
    given = ["--widths", "8", "16", "--steps", "1", "--out", str(out)]
    assert coordinate_check.main(given) == 0
    printed = capsys.readouterr().out
    assert "standard: sizes after 1 steps at widths 8, 16" in printed and "mup: " in printed
    assert out.read_bytes().startswith(b"\x89PNG")
