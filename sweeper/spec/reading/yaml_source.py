"""YAML 1.2 read with the line of every value, so that an error can point at it."""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode

from sweeper.errors import SpecError

KeyPath = tuple[str | int, ...]
Problem = tuple[KeyPath, str]  # where, and what
# What a document is made of.
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + name for name in ("str", "int", "float", "bool", "null")}
_TEXT = {_TAG + "timestamp", _TAG + "merge", _TAG + "value"}  # in YAML 1.2 these are plain text
_COLLECTIONS = {_TAG + "map", _TAG + "seq"}
_MAX_VALUES = 500_000  # far more than a file needs; aliases of aliases can make more


@dataclass(frozen=True)
class YamlSource:
    """A document as plain Python values, and the line (from 1) on which each of them stands.

    `overridden` are the values that the command line has replaced.
    """

    path: Path
    data: Plain
    lines: dict[KeyPath, int]
    overridden: frozenset[KeyPath] = frozenset()

    def line(self, key_path: KeyPath) -> int | None:
        """The line of this value, or of the nearest one around it that exists; None if that one is
        not from the file."""
        stated = self._nearest(key_path)
        return None if stated is None else self.lines.get(stated)

    def _nearest(self, key_path: KeyPath) -> KeyPath | None:
        enclosing = (key_path[:end] for end in range(len(key_path), 0, -1))
        return next((k for k in enclosing if k in self.lines or k in self.overridden), None)

    def problem(self, key_path: KeyPath, message: str) -> str:
        """`FILE:LINE: a.b.c: message`, or `--set a.b.c: message`."""
        name = ".".join(map(str, key_path))
        if self._nearest(key_path) in self.overridden:
            return f"--set {name}: {message}"
        line = self.line(key_path)
        where = f"{self.path}:{line}" if line else f"{self.path}"
        return ": ".join([where, *([name] if key_path else []), message])

    def problems(self, found: Iterable[Problem]) -> list[str]:
        """The messages, each once, from the top of the file to its end."""
        in_order = sorted(dict.fromkeys(found), key=lambda problem: self.line(problem[0]) or 0)
        return [self.problem(key_path, message) for key_path, message in in_order]


def read_yaml(path: Path) -> YamlSource:
    """The one document in `path`: mappings with text keys, lists, text, numbers, booleans, null.

    Raises:
        SpecError: the file is missing, unreadable or not YAML, it holds something else, or it has
            the same key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError([f"{path}: no such file{_meant(path)}"]) from None
    except IsADirectoryError:
        there = path / "sweep.yaml"
        example = f", as {there}" if there.is_file() else ""
        raise SpecError([f"{path}: is a folder; name a file in it{example}"]) from None
    except UnicodeDecodeError as error:
        raise SpecError([f"{path}: is not text: byte {error.start} is not UTF-8"]) from None
    except OSError as error:
        raise SpecError([f"{path}: cannot be read: {error.strerror}"]) from None
    data, lines = parse_yaml(text, str(path))
    return YamlSource(path, data, lines)


def _meant(path: Path) -> str:
    """`; did you mean 'search_spaces/lr.yaml'?`: what is near by its name, here or where search
    spaces are shipped."""
    found = [*Path("search_spaces").glob("*.yaml"), *path.parent.glob("*.yaml")]
    by_name = {file.stem.lower(): file for file in found}
    close = get_close_matches(path.stem.lower(), by_name, n=1)
    return f"; did you mean '{by_name[close[0]]}'?" if close else ""


def parse_yaml(text: str, name: str) -> tuple[Plain, dict[KeyPath, int]]:
    """The one document in `text`, and its lines; `name` is what messages call it.

    Raises:
        SpecError: it is not YAML, or holds something else than `read_yaml` says.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # the later one holds, as YAML says
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        context = f"{error.context}, " if error.context else ""
        raise SpecError([f"{name}{line}: not valid YAML: {context}{error.problem}"]) from None
    except RecursionError:
        raise SpecError([f"{name}: not readable: nested too deeply"]) from None
    except (YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError([f"{name}: not valid YAML: {reason}"]) from None
    reader = _Reader(name, yaml)
    data = None if root is None else reader.value(root, ())
    if reader.problems:
        raise SpecError(reader.problems)
    return data, reader.lines


class _Reader:
    """Turns ruamel's nodes into plain values, and notes their lines and what is wrong with them."""

    def __init__(self, name: str, yaml: YAML) -> None:
        self.name = name
        self.yaml = yaml
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[str] = []
        self.num_values = 0
        self.open: list[Node] = []  # the collections that are being read, outermost first

    def value(self, node: Node, key_path: KeyPath) -> Plain:
        self.num_values += 1
        if self.num_values > _MAX_VALUES:
            self.refuse(node, f"more than {_MAX_VALUES:,} values; are there aliases of aliases?")
            raise SpecError(self.problems)
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        if any(node is outer for outer in self.open):
            self.refuse(node, "contains itself by an alias; write it out")
            return None
        if str(node.tag) not in _COLLECTIONS:
            self.refuse(node, f"no tag {_shown(node)} here; remove it")
            return None
        self.open.append(node)
        try:
            if isinstance(node, SequenceNode):
                return self.sequence(node, key_path)
            return self.mapping(node, key_path)
        finally:
            self.open.pop()

    def scalar(self, node: ScalarNode) -> Plain:
        if str(node.tag) in _TEXT:
            return str(node.value)
        if str(node.tag) not in _SCALARS:
            self.refuse(node, f"no tag {_shown(node)} here; remove it")
            return None
        try:
            value: bool | int | float | str | None = self.yaml.constructor.construct_object(node)
        except (YAMLError, ValueError, LookupError):
            self.refuse(node, f"cannot be read as {_shown(node)}: {str(node.value)[:40]!r}")
            return None
        if isinstance(value, int) and abs(value) >= 2**63:
            self.refuse(node, f"a whole number must be below 2^63, got {str(node.value)[:40]}")
        if isinstance(value, str) and not is_plain(value):
            self.refuse(node, f"text must have no control characters, got {value[:40]!r}")
        return value

    def sequence(self, node: SequenceNode, key_path: KeyPath) -> list[Plain]:
        values = []
        for index, child in enumerate(node.value):
            self.lines[(*key_path, index)] = child.start_mark.line + 1
            values.append(self.value(child, (*key_path, index)))
        return values

    def mapping(self, node: Node, key_path: KeyPath) -> dict[str, Plain]:
        """The mapping's own keys win over those that `<<:` takes from other mappings."""
        merges = [child for key, child in node.value if str(key.tag) == _TAG + "merge"]
        values: dict[str, Plain] = {}
        for child in reversed(merges):
            values |= self.merged(child, key_path)
        own: dict[str, int] = {}
        for key_node, child in node.value:
            if str(key_node.tag) == _TAG + "merge":
                continue
            line = key_node.start_mark.line + 1
            key = self.value(key_node, key_path)
            if not isinstance(key, str):
                self.refuse(key_node, f"a key must be text, got {_kind(key)}; put it in quotes")
            elif key in own:
                self.refuse(key_node, f"{key!r} stands in line {own[key]} too; remove one")
            else:
                own[key] = self.lines[(*key_path, key)] = line
                values[key] = self.value(child, (*key_path, key))
        return values

    def merged(self, node: Node, key_path: KeyPath) -> dict[str, Plain]:
        """The value of `<<:`: a mapping, or a list of mappings, of which the earlier ones win."""
        values: dict[str, Plain] = {}
        for source in reversed(node.value if isinstance(node, SequenceNode) else [node]):
            value = self.value(source, key_path)
            if isinstance(value, dict):
                values |= value
            else:
                self.refuse(source, "`<<:` takes over the keys of a mapping, and needs one")
        return values

    def refuse(self, node: Node, problem: str) -> None:
        self.problems.append(f"{self.name}:{node.start_mark.line + 1}: {problem}")


def is_plain(text: str) -> bool:
    """Whether all YAML writers and readers agree on this text; they do not on odd line breaks."""
    odd = ("Cc", "Cs", "Zl", "Zp")  # Cs: half a character, which no file can hold
    return all(c in "\n\t" or unicodedata.category(c) not in odd for c in text)


def _shown(node: Node) -> str:
    return str(node.tag).replace(_TAG, "!!")


def _kind(value: Plain) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return json.dumps(value)
