"""YAML 1.2 read with the line of every value, so that an error can point at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sweeper.errors import SpecError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlSource:
    """A document as plain Python values, and the line (from 1) on which each of them stands."""

    path: Path
    data: Any
    lines: dict[KeyPath, int]

    def problem(self, key_path: Sequence[str | int], message: str) -> str:
        """`FILE:LINE: a.b.c: message`; the line is that of the nearest enclosing value there is."""
        known = tuple(key_path)
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        keys = ".".join(map(str, key_path))
        return f"{self.path}{line}: {keys + ': ' if keys else ''}{message}"


def read_yaml(path: Path) -> YamlSource:
    """The one document in `path`.

    Raises:
        SpecError: the file is missing, unreadable, empty, or not YAML.
    """
    try:
        document = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError([f"{path}: no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: cannot be read: {error}"]) from None
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError([f"{path}{line}: not valid YAML: {error.problem}"]) from None
    except YAMLError as error:
        raise SpecError([f"{path}: not valid YAML: {error}"]) from None
    lines: dict[KeyPath, int] = {}
    return YamlSource(path, _plain(document, (), lines), lines)


def _plain(node: Any, key_path: KeyPath, lines: dict[KeyPath, int]) -> Any:
    """`node` without ruamel's own types; fills `lines` on the way."""
    if isinstance(node, CommentedMap):
        for key in node:
            lines[(*key_path, key)] = node.lc.key(key)[0] + 1
        return {key: _plain(value, (*key_path, key), lines) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*key_path, index)] = node.lc.item(index)[0] + 1
        return [_plain(value, (*key_path, index), lines) for index, value in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node
