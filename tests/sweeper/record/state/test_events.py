"""Every kind of event: written and read back the same, and refused by its field where that is not
what a sweep writes."""

import json
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.record.state import events
from sweeper.record.state.event_lines import read_line, to_line
from sweeper.record.state.events import Event, TrialEnded
from sweeper.status import Status
from trainable.loop.metrics import Metrics

OLD_JOURNALS = sorted((Path(__file__).parents[1] / "old_journals").glob("*/journal.jsonl"))
OLD_LINES = [line for path in OLD_JOURNALS for line in path.read_bytes().splitlines(keepends=True)]

text = st.text(st.characters(codec="utf-8"), max_size=8)
STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    events.Whole: st.integers(0, events.LARGEST),
    events.Moment: st.datetimes(datetime(1970, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC)),
    events.TrialId: st.integers(0, 10**6).map("{:04d}".format),
    events.CheckpointName: st.integers(0, 10**7).map("checkpoint_{:06d}".format),
    events.Integer: st.integers(-(2**63) + 1, 2**63 - 1),
    object: st.none() | st.booleans() | st.integers() | text | st.lists(st.integers(), max_size=2),
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
    str: text,
    type(None): st.none(),
}


def strategy_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    if hint in STRATEGIES:
        return STRATEGIES[hint]
    arguments = get_args(hint)
    match get_origin(hint):
        case _ if isinstance(hint, type) and issubclass(hint, Enum):
            return st.sampled_from(list(hint))
        case _ if isinstance(hint, type) and is_dataclass(hint):
            return built(hint)
        case origin if origin in {types.UnionType, typing.Union}:
            return st.one_of([strategy_of(each) for each in arguments])
        case origin if origin is Literal:
            return st.sampled_from(arguments)
        case origin if origin is dict:
            return st.dictionaries(*map(strategy_of, arguments), max_size=2)
        case origin if origin is tuple and arguments[-1] is ...:
            return st.lists(strategy_of(arguments[0]), max_size=2).map(tuple)
        case origin if origin is tuple:
            return st.tuples(*map(strategy_of, arguments))
    raise TypeError(hint)


def built(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    parts = {each.name: strategy_of(hints[each.name]) for each in fields(kind)}  # type: ignore[arg-type]
    if kind is TrialEnded:
        parts["status"] = st.sampled_from([status for status in Status if status.ended])
    return st.builds(kind, **parts)


def any_event() -> st.SearchStrategy[Event]:
    return st.one_of([built(kind) for kind in get_args(Event)])


@given(any_event())
def test_what_is_written_is_read_back_the_same(event: Event) -> None:
    line = to_line(event)
    assert read_line(line) == event
    assert line.count(b"\n") == 1
    json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("path", OLD_JOURNALS, ids=lambda path: path.parent.name)
def test_lines_of_the_version_before_are_written_as_they_were(path: Path) -> None:
    """To the byte, but for metrics that it did not know: they are null."""
    for line in path.read_bytes().splitlines(keepends=True):
        event, was = read_line(line), json.loads(line)
        assert read_line(to_line(event)) == event
        now = json.loads(to_line(event))
        if "metrics" in was:
            new = {
                name: now["metrics"].pop(name) for name in now["metrics"].keys() - was["metrics"]
            }
            assert set(new.values()) <= {None}
        assert json.dumps(now).encode() + b"\n" == line


def test_the_old_journals_have_every_kind_of_event() -> None:
    there = {json.loads(line)["event"] for line in OLD_LINES}
    newer = {
        "search_ended",
        "finals_started",
        "finals_ended",
        "stopped_by_hand",
        "spend_reached",
        "gave_way",
        "waiting",
    }  # than that version
    every = {kind.__dataclass_fields__["event"].default for kind in get_args(Event)}
    assert there == every - newer


LATER = {  # what was written from some version on
    "session_started": {"torn", "pid", "host", "command", "python", "versions", "machine", "git"}
    | {"overrides", "fingerprint", "accepted", "placement"},
    "attempt_failed": {"counted"},
    "checkpoint": {"bytes", "step", "found"},
    "exploited": {"bytes", "step"},
}


@pytest.mark.parametrize("kind", LATER)
def test_what_older_versions_did_not_write_has_a_default(kind: str) -> None:
    whole = next(json.loads(line) for line in OLD_LINES if json.loads(line)["event"] == kind)
    for left_out in (LATER[kind], *[{name} for name in LATER[kind]]):
        old = {name: value for name, value in whole.items() if name not in left_out}
        event = read_line(json.dumps(old).encode())
        assert {name: json.loads(to_line(event))[name] for name in old} == old


# Each in the place of every value: of another type, out of all bounds, or simply gone.
GONE = object()
WRONG: list[Any] = [GONE, None, "x", "", True, -1, 10**400, 1.5, math.inf, math.nan, [], {}, [[]]]


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where values stand in it, at any depth."""
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, inner in parts:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def changed(value: Any, path: tuple[str | int, ...], wrong: Any) -> Any:
    """A copy with something else at this place."""
    copy = json.loads(json.dumps(value))
    node = copy
    for key in path[:-1]:
        node = node[key]
    if wrong is GONE:
        del node[path[-1]]
    else:
        node[path[-1]] = wrong
    return copy


def samples() -> list[dict[str, Any]]:
    """An event of each kind, as an old journal has it."""
    found: dict[str, dict[str, Any]] = {}
    for line in OLD_LINES:
        event = json.loads(line)
        found.setdefault(event["event"], event)
    return list(found.values())


@pytest.mark.parametrize("event", samples(), ids=lambda event: event["event"])
def test_any_field_that_is_anything_else_is_fine_or_is_named(event: dict[str, Any]) -> None:
    for path in paths(event):
        for wrong in WRONG:
            line = json.dumps(changed(event, path, wrong)).encode()
            try:
                read_line(line)
            except ValueError as error:
                told = str(error)
                assert told.startswith(f"{path[0]}"), (path, wrong, told)
                assert len(told) < 400


def test_metrics_of_a_line_are_numbers_or_null() -> None:
    event = next(e for e in samples() if e["event"] == "report")
    for name in Metrics.__dataclass_fields__:
        for wrong in (
            ("x", [], 1) if name == "others" else ("x", [], {}, math.nan, math.inf, 10**400)
        ):
            with pytest.raises(ValueError, match=rf"^metrics\.{name}: "):
                read_line(json.dumps(changed(event, ("metrics", name), wrong)).encode())
