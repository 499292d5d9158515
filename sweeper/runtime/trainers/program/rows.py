"""What a program says of its steps, from its output or from a file of JSON lines."""

import json
import math
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.program.fields import STEP, LinePattern
from trainable.settings import shown

MAX_STEP = 10**15  # a number that no run comes to, and every file can hold
READ_BYTES = MAX_LINE = 1 << 20  # of a file of JSON lines
TAIL_BYTES = 1 << 10  # what is there of it before tells whether it is the same text still
NOT_FINITE = ("nan", "inf", "infinity")
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
    """A file that grows: what comes after what was there at first. It may be written anew, or moved
    away while another begins: what is in it then of steps that were read before, or that are before
    the attempt, is passed over.

    Args:
        begins_at: The step that the attempt goes on from.
    """

    def __init__(self, path: Path, begins_at: int = 0) -> None:
        self.path = path
        self.begins_at = begins_at
        self._file: int | None = None
        self._at = 0  # it was read to there
        self._tail = self._rest = b""  # the last bytes before that; the line that has no end yet
        self._open()
        if self._file is not None:
            size = os.fstat(self._file).st_size
            self._tail = os.pread(self._file, TAIL_BYTES, max(0, size - TAIL_BYTES))
            self._at = max(0, size - TAIL_BYTES) + len(self._tail)
        self._newest: list[Row] = []  # that were read, of the last step
        self._before: list[Row] = []  # the same, when the file was begun anew
        self._is_anew = False

    def rows(self, *, ended: bool = False) -> Iterator[Row]:
        """What has come since.

        Args:
            ended: Nothing more comes, so that the last line needs no end.

        Raises:
            TrainerError: a line is no JSON object, has no step, or a word where a number belongs.
        """
        yield from self._read()
        if self._is_another():
            if self._file is not None:
                yield from self._read()  # to the end of the one that was moved away
                yield from self._unfinished()
                self._begin_anew()
            self._open()
            yield from self._read()
        if ended:
            yield from self._unfinished()

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def _open(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None
        with suppress(FileNotFoundError, NotADirectoryError):
            # A pipe's reader would wait.
            self._file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        if self._file is not None and not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise TrainerError(f"{self.path}: must be a file of JSON lines (trainer.metrics)")

    def _is_another(self) -> bool:
        """Whether the path is of another file than the one that is read."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return self._file is None or not os.path.samestat(there, os.fstat(self._file))

    def _begin_anew(self) -> None:
        self._at, self._tail, self._rest = 0, b"", b""
        self._before, self._is_anew = self._newest, True

    def _read(self) -> Iterator[Row]:
        while self._file is not None:
            start = self._at - len(self._tail)
            read = os.pread(self._file, len(self._tail) + READ_BYTES, start)
            if not read.startswith(self._tail):  # it was written anew, in place
                self._begin_anew()
                continue
            if not (new := read[len(self._tail) :]):
                return
            self._at, self._tail = self._at + len(new), read[-TAIL_BYTES:]
            *lines, self._rest = (self._rest + new).split(b"\n")
            if len(self._rest) > MAX_LINE:
                raise TrainerError(
                    f"{self.path}: a line of more than {MAX_LINE >> 20} MB (trainer.metrics); "
                    "metrics are lines of JSON, one for each evaluation"
                )
            for line in lines:
                yield from self._parsed(line)

    def _unfinished(self) -> Iterator[Row]:
        """The row of a last line without an end; none where the writer was ended within it."""
        line, self._rest = self._rest, b""
        try:
            is_whole = isinstance(json.loads(line), dict)
        except ValueError:
            return
        if is_whole:
            yield from self._parsed(line)

    def _parsed(self, line: bytes) -> Iterator[Row]:
        """The row of a line; none where it is empty, or was read before."""
        if text := line.decode("utf-8-sig", errors="replace").strip():
            row = self._row(text)
            if self._is_anew and row.step <= self.begins_at:
                return
            if self._before and (row.step < self._before[0].step or row in self._before):
                return
            self._newest = [*(r for r in self._newest if r.step == row.step), row]
            yield row

    def _row(self, line: str) -> Row:
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
        numbers = {n: v for n, said in stated.items() if (v := _number(said)) is not None}
        if STEP not in numbers:
            raise TrainerError(f"{where}: step must be a whole number")
        return _row(where, numbers, stops=stops)


def _number(value: object) -> float | None:
    """None where it is a word. JSON has no NaN, so some write it, and what is infinite, as text."""
    if isinstance(value, str) and value.strip().lower().lstrip("+-") in NOT_FINITE:
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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
