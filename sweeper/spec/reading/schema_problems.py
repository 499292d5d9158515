"""What pydantic finds wrong with a file, in the words of people who write search spaces."""

import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from sweeper.spec.constraints import Constraint
from sweeper.spec.domains.values import TAG_MARK
from sweeper.spec.reading.names import (
    SECTIONS,
    domain_hint,
    key_hint,
    keys_of,
    scheduler_hint,
    top_key_hint,
    word_hint,
)
from sweeper.spec.reading.yaml_source import KeyPath, Plain, Problem
from sweeper.spec.scheduler_spec import SCHEDULERS
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import (
    OUR_METRICS,
    ResourceCase,
    SweepSpec,
)
from sweeper.spec.train_settings import Derived
from trainable.settings import nearest

EXAMPLES: dict[KeyPath, str] = {
    ("train",): "{max_steps: 600}",
    ("space",): "{learning_rate: {grid: [1e-3, 3e-3]}}",
    ("objective",): "{metric: val_loss}",
    ("search",): "{algorithm: random, num_trials: 20}",
    ("scheduler",): "{type: asha, grace_steps: 100}",
    ("checkpoints",): "{keep: 2, budget: 20GB}",
    ("seeds",): "[0, 1, 2]",
}
_ANY_SCHEDULER = " or ".join([", ".join(list(SCHEDULERS)[:-1]), list(SCHEDULERS)[-1]])

# By pydantic's type of error; the braces are filled from its context.
_MESSAGES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be finite",
    "list_type": "must be a list",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-', and begin with a "
    "letter or a digit",
}


def schema_problems(error: ValidationError, data: Plain) -> list[Problem]:
    """Everything in `data` that does not fit the schema: where it is, what would be right, and what
    is there."""
    return [
        _problem(_key_path(found["loc"]), found["type"], found.get("ctx", {}), found["msg"], data)
        for found in error.errors(include_url=False)
    ]


def _problem(
    key_path: KeyPath, kind: str, context: Mapping[str, object], said: str, data: Plain
) -> Problem:
    node, key = _at(data, key_path), key_path[-1]
    match kind:
        case "value_error":
            message = str(context["error"])
        case "extra_forbidden":
            message = f"no such key{_key_hint(key_path, data)}"
        case "missing":
            message = "is required"
        case "union_tag_not_found":
            return (*key_path, "type"), f"is required: {_ANY_SCHEDULER}"
        case "union_tag_invalid":
            stated = _at(node, ("type",))
            message = f"must be {_ANY_SCHEDULER}, got {shown(stated)}{scheduler_hint(str(stated))}"
            return (*key_path, "type"), message
        case "literal_error" if key_path == ("resources",):
            message = f"must be auto, or a mapping as {{cpu: 1, gpu: 0}}, got {shown(node)}"
        case "literal_error":
            words = re.findall("'([^']*)'", str(context["expected"]))
            hint = word_hint(key, node, words) if isinstance(node, str) else ""
            message = f"must be {context['expected']}, got {shown(node)}{hint}"
        case "dict_type" | "model_type" | "model_attributes_type":
            message = _no_mapping(key_path, node)
        case "domain":
            message = _no_domain(node)
        case "too_short" | "too_long":
            message = _wrong_length(key_path, node)
        case "list_type" if key in ("grid", "choice"):
            message = "must be a list of values, or a mapping of named bundles"
            message += f", got {shown(node)}"
        case "list_type" if key_path in EXAMPLES:
            message = f"must be a list, as {EXAMPLES[key_path]}, got {shown(node)}"
        case _ if kind in _MESSAGES:
            message = f"{_MESSAGES[kind].format(**context)}, got {shown(node)}"
        case _:
            message = f"{said.replace('Input should', 'must')}, got {shown(node)}"
    return key_path, message


def _wrong_length(key_path: KeyPath, node: Plain) -> str:
    if not node:
        example = f"; as {EXAMPLES[key_path]}" if key_path in EXAMPLES else ""
        return f"must not be empty{example}"
    two = "two bounds, [low, high]"
    if key_path[0] == "constraints":
        two = "two settings or numbers, [a, b]"
    elif key_path[-1] == "normal":
        two = "a mean and a standard deviation, [mean, sd]"
    return f"must be {two}, got {shown(node)}"


def _no_mapping(key_path: KeyPath, node: Plain) -> str:
    hint = f"; as {EXAMPLES[key_path]}" if key_path in EXAMPLES else ""
    if key_path == ("scheduler",) and isinstance(node, str):
        if node in SCHEDULERS:
            hint = f"; as {{type: {node}{'' if node == 'fifo' else ', …'}}}"
        else:
            hint = scheduler_hint(node) or hint
    if key_path == ("objective",) and isinstance(node, str):
        known = f"; as {{metric: {node}}}"
        hint = known if node in OUR_METRICS else word_hint("metric", node, OUR_METRICS) or hint
    return f"must be a mapping, got {shown(node)}{hint}"


def shown(value: object) -> str:
    """A value as YAML writes it, cut if it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _key_path(location: tuple[str | int, ...]) -> KeyPath:
    """The place in the file: pydantic's own has the tags of unions between the keys. Ours are
    marked, and that of a scheduler is its type. What is wrong with a domain is told at its kind."""
    match location:
        case ("scheduler", _, *rest):
            return ("scheduler", *rest)
        case ("space", name, kind):
            return ("space", name, str(kind).removeprefix(TAG_MARK))
    return tuple(part for part in location if not str(part).startswith(TAG_MARK))


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


def _key_hint(key_path: KeyPath, data: Plain) -> str:
    *section, last = key_path
    model = _model(section, data)
    if model is None:
        return ""
    known = keys_of(model)
    match section:
        case []:
            hint = top_key_hint(str(last))
        case [name]:
            hint = key_hint(str(last), str(name), known)
        case _:
            hint = nearest(str(last), known)
    return hint or f"; there are: {', '.join(known)}"


def _model(section: list[str | int], data: Plain) -> type[BaseModel] | None:
    """The model whose keys this section of the file has."""
    match section:
        case []:
            return SweepSpec
        case ["scheduler"]:
            return SCHEDULERS.get(str(_at(data, ("scheduler", "type"))))
        case ["constraints", _]:
            return Constraint
        case ["resources", "cases", _]:
            return ResourceCase
        case ["train", _]:
            return Derived
        case ["space", name]:
            stated = _at(data, ("space", name))
            kinds = stated if isinstance(stated, dict) else {}
            return next((DOMAINS[kind] for kind in kinds if kind in DOMAINS), None)
        case [name]:
            return SECTIONS.get(name)
        case _:
            return None


def _no_domain(node: Plain) -> str:
    kinds = ", ".join(DOMAINS)
    if not isinstance(node, dict):
        listed = json.dumps(node) if isinstance(node, list) and len(node) <= 8 else "[1, 2]"
        return f"must say how it is swept, as {{grid: {listed}}} ({kinds}), got {shown(node)}"
    if "times" in node:
        return "a value that follows from another setting is not swept; move it to `train:`"
    wrong = [key for key in node if key not in DOMAINS]
    if not wrong or len(wrong) < len(node):
        return f"must have one key out of {kinds}, got {', '.join(node) or 'none'}"
    return f"'{wrong[0]}' is none of {kinds}{domain_hint(wrong[0], node)}"
