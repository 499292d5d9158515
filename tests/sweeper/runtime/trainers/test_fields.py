"""Named fields in a program's lines."""

import math

import pytest

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.fields import ESCAPES, LinePattern

NANOGPT = "step {step:d}: train loss {train_loss:f}, val loss {val_loss:f}"


@pytest.mark.parametrize(
    "pattern, line, found",
    [
        (NANOGPT, "step 250: train loss 1.9012, val loss 2.0134", [250, 1.9012, 2.0134]),
        (NANOGPT, "step 1,250: train loss 1e-3, val loss -2.5E+2", [1250, 0.001, -250.0]),
        (NANOGPT, "[rank0] 12:00:01 | step  0:  train loss 4,  val loss 5", [0, 4, 5]),
        (NANOGPT, "substep 250: train loss 1.9, val loss 2.0", None),
        (NANOGPT, "saving checkpoint to out", None),
        ("Step {step:d} | bpb: {bpb}", "Step 00250 | bpb: 0.912345", [250, 0.912345]),
        ("{step:d},{loss:f},{lr}", "10,1.5,0.001", [10, 1.5, 0.001]),
        ("{{'loss': {loss}, 'step': {step:d}}}", "{'loss': 1.5, 'step': 3}", [1.5, 3]),
        ("step={step:d} loss={loss}", "step=1_000 loss=.5 lr=3", [1000, 0.5]),
        ("step={step:d} loss={loss}", "step=2 loss=inf", [2, math.inf]),
        ("{step:d}/100 loss {loss}", "7/100 loss -1.", [7, -1]),
        ("{step:d}% loss {loss}", "7% loss 12.", [7, 12]),
        (
            "| {step:d}/{of:d} [{eta:s}, loss={loss}]",
            "9%|# | 3/9 [0:1<2, 7it/s, loss=1]",
            [3, 9, 1],
        ),
        ("step {step:d} loss {loss}", "step 1e3 loss 1", [1000, 1]),
    ],
)
def test_numbers_are_found(pattern: str, line: str, found: list[float] | None) -> None:
    read = LinePattern(pattern).read(line)
    assert (None if read is None else list(read.values())) == found


@pytest.mark.parametrize(
    "printed",
    [
        "\x1b[1;32mstep\x1b(B\x1b[m \x1b[38;5;9m3\x1b[0m loss \x1b[K1",
        "\x1b]0;a title\x07step 3 loss \x1b]8;;http://x\x1b\\1\x1b]8;;\x1b\\",
        "\x1b7step 3\x1b8\x1b=\x1b> loss 1",
    ],
)
def test_what_a_terminal_takes_for_itself_is_no_text(printed: str) -> None:
    assert ESCAPES.sub("", printed) == "step 3 loss 1"


def test_any_text_is_not_looked_for_without_end() -> None:
    pattern = LinePattern("| {step:d} [{a:s}] {b:s} loss {loss}")
    assert pattern.read("| 1 [" * 4000) is None


def test_nan_is_a_number() -> None:
    read = LinePattern("step {step:d} loss {loss}").read("step 3 loss NaN")
    assert read is not None and math.isnan(read["loss"])


@pytest.mark.parametrize(
    "line, said",
    [
        ("step 3 loss n/a", "loss must be a number .* got 'n/a'"),
        ("step 3 loss 0,25", "loss must be a number .* got '0,25'"),
        ("step 3 loss 1.2.3", "loss must be a number .* got '1.2.3'"),
        ("step 3.5 loss 1", "step must be a whole number .* got '3.5'"),
    ],
)
def test_a_word_in_the_place_of_a_number_is_told(line: str, said: str) -> None:
    with pytest.raises(TrainerError, match=said):
        LinePattern("step {step:d} loss {loss}").read(line)


@pytest.mark.parametrize(
    "pattern, said",
    [
        ("loss {loss:f}", r"has no \{step:d\}"),
        ("step {step:d}", "finds no metric beside the step"),
        ("step {step:d} loss {loss:g}", r"there are \{loss:d\} .*, \{loss:f\} .* and \{loss:s\}"),
        ("step {step:d} loss {}", "a field without a name of letters"),
        ("step {step:d} {loss} {loss}", "names a field twice"),
        ("step {step:d} loss {loss", "is not readable"),
        ("{any:s} step {step:d} loss {loss}", "has {any:s} where no text is on both sides"),
        ("step {step:d} loss {loss} {any:s}", "has {any:s} where no text is on both sides"),
        ("step {step:d} loss {loss:s}", "has {loss:s} where no text is on both sides"),
    ],
)
def test_a_pattern_that_finds_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(TrainerError, match=said):
        LinePattern(pattern)
