"""What pydantic finds wrong with a file, in the words of people who write search spaces."""

import json

from pydantic import BaseModel, ValidationError

from sweeper.spec.constraints import Constraint
from sweeper.spec.reading.yaml_source import KeyPath, Plain, Problem
from sweeper.spec.scheduler_spec import SCHEDULERS
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import (
    CheckpointsSpec,
    Objective,
    ResourceCase,
    Resources,
    Search,
    SweepSpec,
)
from sweeper.spec.train_settings import Derived
from trainable.config import nearest

SECTIONS: dict[str | int, type[BaseModel]] = {
    "objective": Objective,
    "search": Search,
    "resources": Resources,
    "checkpoints": CheckpointsSpec,
}
_ANY_SCHEDULER = " or ".join([", ".join(list(SCHEDULERS)[:-1]), list(SCHEDULERS)[-1]])

# By pydantic's type of error; the braces are filled from its context.
_MESSAGES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be finite",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "too_long": "must be two bounds, [low, high]",
    "too_short": "must be two bounds, [low, high]",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-', and begin with a "
    "letter or a digit",
    "literal_error": "must be {expected}",
}


def schema_problems(error: ValidationError, data: Plain) -> list[Problem]:
    """Everything in `data` that does not fit the schema: where it is, what would be right, and what
    is there."""
    problems: list[Problem] = []
    for detail in error.errors(include_url=False):
        key_path, node = _locate(detail["loc"], data)
        context = detail.get("ctx", {})
        match detail["type"]:
            case "value_error":
                message = str(context["error"])
            case "extra_forbidden":
                message = _unknown_key(key_path, data)
            case "missing":
                message = "is required"
            case "union_tag_not_found":
                key_path, message = (*key_path, "type"), f"is required: {_ANY_SCHEDULER}"
            case "union_tag_invalid":
                key_path, kind = (*key_path, "type"), _at(node, ("type",))
                message = f"must be {_ANY_SCHEDULER}, got {shown(kind)}"
                message += nearest(str(kind), list(SCHEDULERS))
            case "literal_error" if key_path == ("resources",):
                message = f"must be auto, or a mapping as {{cpu: 1, gpu: 0}}, got {shown(node)}"
            case "domain":
                message = _no_domain(node)
            case "too_short" if not node:
                message = "must not be empty"
            case "too_short" | "too_long" if key_path[0] == "constraints":
                message = f"must be two settings or numbers, [a, b], got {shown(node)}"
            case "too_short" | "too_long" if key_path[-1] == "normal":
                message = f"must be a mean and a standard deviation, [mean, sd], got {shown(node)}"
            case "list_type" if key_path[-1] in ("grid", "choice"):
                message = "must be a list of values, or a mapping of named bundles"
                message += f", got {shown(node)}"
            case kind:
                message = f"{_MESSAGES[kind].format(**context)}, got {shown(node)}"
        problems.append((key_path, message))
    return problems


def shown(value: object) -> str:
    """A value as YAML writes it, cut if it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _locate(location: tuple[str | int, ...], data: Plain) -> tuple[KeyPath, Plain]:
    """The place of a problem in the file, and the value there; None if it is missing.

    pydantic's own location has the tags of its unions between the keys of the file.
    """
    tags: set[int] = set()
    if location[0] in ("scheduler", "resources"):
        tags = {1}
    elif location[0] == "train":
        tags = {2}
    elif location[0] == "space" and len(location) > 3:  # before, the tag stands for the key
        tags = {2, 4} if location[3] in ("grid", "choice") else {2}
    key_path = tuple(part for index, part in enumerate(location) if index not in tags)
    return key_path, _at(data, key_path)


def _at(data: Plain, key_path: KeyPath) -> Plain:
    """The value at this place; None if there is none."""
    for part in key_path:
        match data, part:
            case dict(), str():
                data = data.get(part)
            case list(), int() if part < len(data):
                data = data[part]
            case _:
                return None
    return data


def _unknown_key(key_path: KeyPath, data: Plain) -> str:
    *section, key = key_path
    fields = _model(section, data).model_fields
    known = [field.alias or name for name, field in fields.items()]
    hint = nearest(str(key), known) or f"; there are: {', '.join(known)}"
    return f"no such key{hint}"


def _model(section: list[str | int], data: Plain) -> type[BaseModel]:
    """The model whose keys this section of the file has."""
    match section:
        case []:
            return SweepSpec
        case ["scheduler"]:
            return SCHEDULERS[str(_at(data, ("scheduler", "type")))]
        case ["constraints", _]:
            return Constraint
        case ["resources", "cases", _]:
            return ResourceCase
        case ["train", _]:
            return Derived
        case ["space", name]:
            stated = _at(data, ("space", name))
            assert isinstance(stated, dict)
            return next(DOMAINS[kind] for kind in stated if kind in DOMAINS)
        case _:
            return SECTIONS[section[0]]


def _no_domain(node: Plain) -> str:
    kinds = ", ".join(DOMAINS)
    if not isinstance(node, dict):
        return f"must say how it is swept, as {{grid: [1, 2]}} ({kinds}), got {shown(node)}"
    wrong = [key for key in node if key not in DOMAINS]
    if not wrong or len(wrong) < len(node):
        return f"must have one key out of {kinds}, got {', '.join(node) or 'none'}"
    return f"'{wrong[0]}' is none of {kinds}{nearest(wrong[0], list(DOMAINS))}"
