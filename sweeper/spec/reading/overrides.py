"""`--set train.max_steps=1200`: what the command line says instead of the file."""

import copy
from collections.abc import Sequence
from dataclasses import replace

from sweeper.errors import SpecError
from sweeper.spec.reading.yaml_source import KeyPath, Plain, YamlSource, is_plain, parse_yaml


def override(source: YamlSource, overrides: Sequence[str]) -> YamlSource:
    """The document with these values put in: each is `KEY.KEY=VALUE`, with a value in YAML.

    Later messages about them name `--set` and no line.

    Raises:
        SpecError: with every override that has another form, or that leads into something else
            than a mapping.
    """
    if not overrides:
        return source
    problems: list[str] = []
    data, lines, overridden = copy.deepcopy(source.data), dict(source.lines), set[KeyPath]()
    assert isinstance(data, dict), "what is overridden is a mapping"
    for text in overrides:
        try:
            key_path = _put(data, *parse_override(text))
        except SpecError as error:
            problems += error.problems
            continue
        overridden = {old for old in overridden if not _is_within(old, key_path)} | {key_path}
        lines = {old: line for old, line in lines.items() if not _is_within(old, key_path)}
    if problems:
        raise SpecError(problems)
    return replace(source, data=data, lines=lines, overridden=frozenset(overridden))


def parse_override(text: str) -> tuple[tuple[str, ...], Plain]:
    """The key of `KEY=VALUE`, and its value.

    Raises:
        SpecError: it has another form, or its value is no YAML.
    """
    key, equals, value = text.partition("=")
    key_path = tuple(key.split("."))
    if not (equals and all(key_path) and is_plain(key)):
        raise SpecError([f"--set {text}: must be KEY=VALUE, as train.max_steps=1200"])
    return key_path, parse_yaml(value, f"--set {key}")[0]


def _put(data: dict[str, Plain], key_path: tuple[str, ...], value: Plain) -> KeyPath:
    """Put the value in. Returns the outermost key that is no longer the file's: the value's own, or
    that of a mapping that had to be made for it."""
    *outer, key = key_path
    changed = key_path
    for depth, part in enumerate(outer):
        if part not in data and changed is key_path:
            changed = key_path[: depth + 1]
        inner = data.setdefault(part, {})
        if isinstance(inner, list):
            name, whole = ".".join(key_path), ".".join(outer[: depth + 1])
            raise SpecError([f"--set {name}: {whole} is no mapping; set it whole: {whole}=…"])
        if not isinstance(inner, dict):
            inner = data[part] = {}  # `auto`, for example, gives way to a mapping
            changed = min(changed, key_path[: depth + 1], key=len)
        data = inner
    data[key] = value
    return changed


def _is_within(key_path: KeyPath, outer: KeyPath) -> bool:
    return key_path[: len(outer)] == outer
