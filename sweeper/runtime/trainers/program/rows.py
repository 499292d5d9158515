"""What a program says of its steps, from its output or from a file of JSON lines."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.fields import STEP, LinePattern
from trainable.settings import shown

MAX_STEP = 10**15  # a number that no run comes to, and every file can hold
STOPS = "stops"  # in a row of `sweeper_hook`: it saves itself at this step, and ends


@dataclass(frozen=True)
class Row:
    """Numbers by their names, measured after so many steps."""

    step: int
    values: dict[str, float]
    stops: bool = False


def printed_rows(lines: Iterable[str], patterns: Sequence[LinePattern]) -> Iterator[Row]:
    """
    Raises:
        TrainerError: a line of metrics has a word where a number belongs.
    """
    for line in lines:
        for pattern in patterns:
            if (numbers := pattern.read(line)) is not None:
                yield _row(line, numbers)
                break


class JsonLines:
    """A file that grows: what comes after what was there at first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def rows(self) -> Iterator[Row]:
        """What has come since.

        Raises:
            TrainerError: a line is no JSON object, has no step, or a word where a number belongs.
        """
        try:
            size = self.path.stat().st_size
        except OSError:
            return
        if size < self._read_to:  # written anew
            self._read_to, self._rest = 0, b""
        if size == self._read_to:
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            read = file.read()
        self._read_to += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            if line.strip():
                yield self._parsed(line.decode(errors="replace"))

    def _parsed(self, line: str) -> Row:
        where = f"{self.path}: {shown(line)}"
        try:
            stated = json.loads(line)
        except ValueError:
            raise TrainerError(f"{where} is no line of JSON (trainer.metrics)") from None
        if not isinstance(stated, dict):
            raise TrainerError(f"{where} is no JSON object (trainer.metrics)")
        if STEP not in stated:
            raise TrainerError(f'{where} has no "step": metrics belong to a step')
        stops = stated.pop(STOPS, False) is True
        numbers = {name: value for name, value in stated.items() if _is_number(value)}
        if STEP not in numbers:
            raise TrainerError(f"{where}: step must be a whole number")
        return _row(where, numbers, stops=stops)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _row(where: str, numbers: dict[str, float], *, stops: bool = False) -> Row:
    step = numbers[STEP]
    if not 0 <= step <= MAX_STEP or step != int(step):
        told = f"step must be a whole number of at least 0 and at most {MAX_STEP:.0e}"
        raise TrainerError(f"{where}: {told}, got {shown(step)}")
    values = {name: _real(value) for name, value in numbers.items() if name != STEP}
    return Row(int(step), values, stops)


def _real(value: float) -> float:
    """Beyond what a number can be it is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
