"""A run folder of whose journal a field is anything else: it is fine, or the line and the field are
named. No command ends in a traceback."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeper.analysis.monitor import Monitor
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder
from tests.sweeper.commands.conftest import Said, project, sweeper
from tests.sweeper.record.state.test_events import WRONG, changed, paths

__all__ = ["project", "sweeper"]  # fixtures

pytestmark = pytest.mark.slow
OLD = Path(__file__).parent / "old_journals"
FEW = 1  # of the entries of a mapping whose entries are all alike
ALIKE = {"config", "spec", "code", "data", "versions"}
COMMANDS = [
    ["list"],
    ["status", "NAME"],
    ["best", "NAME"],
    ["trial", "NAME", "0000"],
    ["compare", "NAME", "other"],
    ["report", "NAME"],
]


def kinds_of(name: str) -> dict[str, int]:
    """A line, from 0 on, of each kind of event in an old journal: that in the middle."""
    lines = (OLD / name / "journal.jsonl").read_text().splitlines()
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        found.setdefault(json.loads(line)["event"], []).append(number)
    return {kind: numbers[len(numbers) // 2] for kind, numbers in found.items()}


CASES = [
    *[("promoted", kind) for kind in kinds_of("promoted")],
    ("population", "exploited"),
    ("warm", "warm_started"),
]


def places(event: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    seen: dict[tuple[str | int, ...], int] = {}
    for path in paths(event):
        if len(path) > 1 and path[-2] in ALIKE:
            seen[path[:-1]] = seen.get(path[:-1], 0) + 1
            if seen[path[:-1]] > FEW:
                continue
        if len(path) <= 3:
            yield path


@pytest.fixture
def folder(project: Path) -> RunFolder:
    for name in ("promoted", "population", "warm"):
        shutil.copytree(OLD / name, project / "runs" / name)
    shutil.copytree(OLD / "seeds", project / "runs" / "other")
    return RunFolder(project / "runs")


@pytest.fixture(autouse=True)
def pictures_that_are_drawn_and_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What meets a value is the drawing, with its ticks and its texts; to lay it out and print it
    takes most of a report's time."""

    def write(path: Path, draw: Callable[[Axes], None]) -> Path:
        figure = Figure()
        draw(figure.add_subplot())
        figure.draw_without_rendering()
        return path

    monkeypatch.setattr("sweeper.views.report.pictures.write_picture", write)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_whatever_a_field_is_no_command_ends_in_a_traceback(
    folder: RunFolder,
    sweeper: Any,
    name: str,
    kind: str,
) -> None:
    number = kinds_of(name)[kind]
    of_sweep = RunFolder(folder.path / name)
    lines = of_sweep.journal.read_bytes().splitlines(keepends=True)
    event = json.loads(lines[number])
    turns = itertools.cycle(COMMANDS)
    for path in places(event):
        for wrong in WRONG:
            line = json.dumps(changed(event, path, wrong)).encode() + b"\n"
            of_sweep.journal.write_bytes(b"".join([*lines[:number], line, *lines[number + 1 :]]))
            try:
                Monitor(of_sweep)
            except RunFolderError as error:
                is_told(str(error), number + 1, path)
            else:
                command = next(turns)  # all of them for each value would take minutes
                said: Said = sweeper(*[name if word == "NAME" else word for word in command])
                assert said.code in {0, 2}, (path, wrong, command, said.err)
                assert "Traceback" not in said.err, (path, wrong, command, said.err)


def is_told(message: str, number: int, path: tuple[str | int, ...]) -> None:
    """The line, or a later one that does not follow on it any more; and the field in it."""
    told = int(message.split("journal.jsonl:")[1].split(":")[0])
    assert told >= number, message
    if told == number:
        verdict = "was it edited?" in message
        assert verdict or str(path[0]) in message, (path, message)
