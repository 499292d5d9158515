"""Events as lines of a journal: the one place where they are read and written.

A line that lacks what its type asks for is refused here, so that the rest of the code can rely on
it.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from sweeper.record.state.events import Event
from trainable.loop.metrics import Metrics
from trainable.settings import shown

# Fields that are only written if they say something, so that lines are as they always were.
_SELDOM: dict[str, object] = {
    "found": False,
    **dict.fromkeys(
        ("step", "placement", "num_trials", "follows", "forecast", "deviation", "chance")
    ),
    **dict.fromkeys(("taken", "fork")),
    "forks": {},
    "trials": (),
    "processes": 1,
}


def to_line(event: Event) -> bytes:
    """An event as its line in a journal.

    Raises:
        ValueError: a number that JSON does not have.
    """
    said = {"event": event.event, **_said(event)}
    return json.dumps(said, allow_nan=False, default=_plain).encode() + b"\n"


def _said(value: object) -> dict[str, object]:
    said = {}
    for each in fields(value):  # type: ignore[arg-type]
        content = getattr(value, each.name)
        required = each.default is MISSING and each.default_factory is MISSING
        if required or each.name not in _SELDOM or content != _SELDOM[each.name]:
            said[each.name] = content
    return said


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Metrics):
        return value.to_dict()
    assert is_dataclass(value)
    return _said(value)


@cache
def _reader() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Field(discriminator="event")])


def read_line(line: bytes) -> Event:
    """The event in a line of a journal.

    Raises:
        ValueError: the line is no event; the message names the field.
    """
    try:
        return _reader().validate_json(line)
    except ValidationError as error:
        raise ValueError(_problem(error)) from None


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"][1:]]
    if len(path) > 1 and path[-1] in {"bool", "int", "float", "str"}:
        return f"{'.'.join(path[:-1])}: must be one value, got {shown(first['input'])}"
    at = f"{'.'.join(path)}: " if path else ""
    match first["type"]:
        case "missing":
            return f"{at}is missing"
        case "union_tag_invalid":
            return f"event: this version does not know: {shown(first['ctx']['tag'])}"
        case "union_tag_not_found":
            return "event: is missing"
        case "dataclass_type":
            return f"{at}must be an object, got {shown(first['input'])}"
        case "value_error":
            return ".".join([*path, str(first["ctx"]["error"])])
        case "json_invalid":
            return f"no JSON: {first['ctx']['error']}"
        case _:
            message = first["msg"].replace("Input should", "must")
            return f"{at}{message}, got {shown(first['input'])}"
