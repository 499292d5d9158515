"""The JSON Schema of search-space files, for completion and help in editors.

python -m sweeper.spec.reading.json_schema > search_spaces/schema.json
"""

import json
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from sweeper.spec.scheduler_spec import GRACE_KEYS, SCHEDULERS
from sweeper.spec.sweep_spec import OUR_METRICS, SweepSpec
from sweeper.spec.trainer.settings import OURS, OWNED
from trainable.config import TrainConfig
from trainable.validation_sets import LOSS, NAME

Schema = dict[str, Any]


def json_schema() -> Schema:
    """What the types say about a file; not what only shows when a file is read as a whole."""
    schema = SweepSpec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["required"].remove("name")  # it may come from the file's own
    definitions = schema["$defs"]
    for model in SCHEDULERS.values():
        definition = definitions[model.__name__]
        definition["required"] = ["type", *definition.get("required", [])]
        if set(GRACE_KEYS.values()) <= set(definition["properties"]):
            clock = definition["properties"]["clock"]["default"]
            definition["oneOf"] = [_graced(key, each, clock) for each, key in GRACE_KEYS.items()]
    settings = _settings()
    definitions["Settings"] = _mapping(settings)
    derived = {"$ref": "#/$defs/Derived"}
    train = _mapping(
        {
            name: {"anyOf": [setting, derived], "description": setting["description"]}
            if OURS.is_number(name)
            else setting
            for name, setting in settings.items()
        }
    )
    # Another trainer has settings and metrics of its own.
    of_a_set = {"pattern": f"^{LOSS}{NAME}$"}
    metric = {"properties": {"metric": {"anyOf": [{"enum": list(OUR_METRICS)}, of_a_set]}}}
    schema["if"] = {"required": ["trainer"]}
    bundles = {"additionalProperties": {"$ref": "#/$defs/Settings"}}
    space = {"additionalProperties": {"properties": {"grid": bundles, "choice": bundles}}}
    schema["else"] = {"properties": {"train": train, "space": space, "objective": metric}}
    return schema


def _graced(key: str, clock: str, default: str) -> Schema:
    """The first rung is stated in the units of the clock; in steps it need not be."""
    others = {other: {"const": None} for other in GRACE_KEYS.values() if other != key}
    required = [] if clock == default else [key, "clock"]
    return {"properties": {"clock": {"const": clock}, **others}, "required": required}


def _settings() -> dict[str, Schema]:
    """Each training setting: its type, bounds, default and line of help."""
    keywords = {"at_least": "minimum", "above": "exclusiveMinimum", "at_most": "maximum"}
    schemas = {}
    for field in fields(TrainConfig):
        if field.name in OWNED:
            continue
        stated = field.metadata
        bounds = {word: stated[key] for key, word in keywords.items() if stated[key] is not None}
        kind = TypeAdapter(OURS.types[field.name]).json_schema()
        schemas[field.name] = {
            **kind,
            **bounds,
            "description": stated["help"],
            "default": field.default,
        }
    return schemas


def _mapping(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def as_text() -> str:
    """The text of search_spaces/schema.json."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(as_text(), end="")
