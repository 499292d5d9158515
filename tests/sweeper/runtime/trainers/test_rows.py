"""What a program says of its steps: numbers of every size."""

import json
import math
from pathlib import Path

import pytest

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.fields import LinePattern
from sweeper.runtime.trainers.program.rows import JsonLines, Row, printed_rows

PATTERN = LinePattern("step {step:d}: loss {loss:f}")
HUGE = "1" * 400


@pytest.mark.parametrize(
    "step", ["Infinity", "-Infinity", "NaN", "-1", "1.5", HUGE, "1e300", "1e16"]
)
def test_a_step_that_no_run_has_is_told(tmp_path: Path, step: str) -> None:
    file = tmp_path / "metrics.jsonl"
    lines = JsonLines(file)
    file.write_text(f'{{"step": {step}, "loss": 1}}\n')
    with pytest.raises(TrainerError, match="step must be a whole number of at least 0 and at most"):
        list(lines.rows())


@pytest.mark.parametrize("digits", [19, 400, 5000])
def test_so_is_a_printed_one(digits: int) -> None:
    with pytest.raises(TrainerError, match="step must be a whole number of at least 0 and at most"):
        list(printed_rows([f"step {'9' * digits}: loss 1"], [PATTERN]))


@pytest.mark.parametrize(
    ("value", "read"), [(HUGE, math.inf), (f"-{HUGE}", -math.inf), ("1e999", math.inf)]
)
def test_a_loss_beyond_all_numbers_is_infinite(tmp_path: Path, value: str, read: float) -> None:
    file = tmp_path / "metrics.jsonl"
    lines = JsonLines(file)
    file.write_text(json.dumps({"step": 3}).replace("}", f', "loss": {value}}}\n'))
    row = Row(3, {"loss": read})
    assert list(lines.rows()) == list(printed_rows([f"step 3: loss {value}"], [PATTERN])) == [row]
