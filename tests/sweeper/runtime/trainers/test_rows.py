"""What a program says of its steps: numbers of every size."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.fields import LinePattern
from sweeper.runtime.trainers.program.rows import MAX_LINE, JsonLines, Row, printed_rows

PATTERN = LinePattern("step {step:d}: loss {loss:f}")
HUGE = "1" * 400


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def lines(file: Path) -> JsonLines:
    return JsonLines(file)


@pytest.mark.parametrize(
    "step", ["Infinity", "-Infinity", "NaN", "-1", "1.5", HUGE, "1e300", "1e16"]
)
def test_a_step_that_no_run_has_is_told(file: Path, lines: JsonLines, step: str) -> None:
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
def test_a_loss_beyond_all_numbers_is_infinite(
    file: Path, lines: JsonLines, value: str, read: float
) -> None:
    file.write_text(json.dumps({"step": 3}).replace("}", f', "loss": {value}}}\n'))
    row = Row(3, {"loss": read})
    assert list(lines.rows()) == list(printed_rows([f"step 3: loss {value}"], [PATTERN])) == [row]


def line(step: int, loss: str = "1") -> str:
    return f'{{"step": {step}, "loss": {loss}}}\n'


def steps(lines: JsonLines, *, ended: bool = False) -> list[int]:
    return [row.step for row in lines.rows(ended=ended)]


def replaced(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_a_file_that_is_written_anew_each_time(file: Path, lines: JsonLines) -> None:
    """It is read while it has its first lines only, and half a line, and whole."""
    file.write_text(line(10) + line(20))
    assert steps(lines) == [10, 20]
    file.write_text(line(10) + line(20)[:8])
    assert steps(lines) == []
    file.write_text(line(10) + line(20) + line(30))
    assert steps(lines) == [30]


@pytest.mark.parametrize("told", [[20], [200], [20, 30]])
def test_a_file_that_is_overwritten_and_never_seen_shorter(
    file: Path, lines: JsonLines, told: list[int]
) -> None:
    file.write_text(line(10))
    assert steps(lines) == [10]
    file.write_text("".join(map(line, told)))
    assert steps(lines) == told


@pytest.mark.parametrize("way", [Path.write_text, replaced])
def test_a_program_that_goes_on_may_write_its_history_first(
    file: Path, way: Callable[[Path, str], object]
) -> None:
    file.write_text(line(10) + line(20) + line(30) + line(40))
    lines = JsonLines(file, begins_at=20)
    assert steps(lines) == []
    way(file, line(10) + line(20, "1.0001") + line(30))
    assert steps(lines) == [30]


def test_a_program_that_begins_anew_is_not_taken_for_one_that_writes_its_history(
    file: Path,
) -> None:
    file.write_text(line(10) + line(20))
    lines = JsonLines(file, begins_at=20)
    with file.open("a") as opened:
        opened.write(line(10))
    assert steps(lines) == [10]


def test_a_file_that_is_replaced_or_moved_away(file: Path, lines: JsonLines) -> None:
    file.write_text(line(10))
    assert steps(lines) == [10]
    with file.open("a") as opened:
        opened.write(line(20).strip())
    file.rename(file.with_suffix(".1"))
    assert steps(lines) == [], "half a line, for all that is known"
    file.write_text(line(30))
    assert steps(lines) == [20, 30]
    replaced(file, line(10) + line(20) + line(30) + line(40))
    assert steps(lines) == [40]


def test_a_step_may_have_lines_before_and_after_the_file_begins_anew(
    file: Path, lines: JsonLines
) -> None:
    file.write_text(line(10, "2"))
    assert [row.values for row in lines.rows()] == [{"loss": 2}]
    file.rename(file.with_suffix(".1"))
    file.write_text(line(10, "2") + line(10, "3"))
    assert [row.values for row in lines.rows()] == [{"loss": 3}]


def test_the_last_line_needs_no_end(file: Path, lines: JsonLines) -> None:
    file.write_text(line(10) + line(20).strip())
    assert steps(lines) == [10]
    assert steps(lines, ended=True) == [20]


@pytest.mark.parametrize("way", ["ended", "moved away"])
def test_a_line_that_was_broken_off_says_nothing(file: Path, lines: JsonLines, way: str) -> None:
    """So that it is told how the program has ended."""
    file.write_text(line(10) + line(20)[:14])
    assert steps(lines, ended=way == "ended") == [10]
    if way == "moved away":
        replaced(file, line(30))
        assert steps(lines) == [30]


@pytest.mark.parametrize("loss", ["NaN", '"NaN"', '"-Infinity"', '"inf"', "1e999"])
def test_a_loss_that_is_not_finite_may_be_written_as_text(
    file: Path, lines: JsonLines, loss: str
) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + line(10, loss).encode())
    (row,) = lines.rows()
    assert not math.isfinite(row.values["loss"])


def test_a_line_without_an_end_is_told(file: Path, lines: JsonLines) -> None:
    file.write_bytes(b"x" * (MAX_LINE + 2))
    with pytest.raises(TrainerError, match=r"metrics\.jsonl: a line of more than 1 MB"):
        list(lines.rows())


def test_a_pipe_is_told_and_not_waited_for(file: Path, lines: JsonLines) -> None:
    os.mkfifo(file)
    with pytest.raises(TrainerError, match="must be a file of JSON lines"):
        list(lines.rows())
