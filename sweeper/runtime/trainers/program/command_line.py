"""A command with names in braces, made into the arguments of a process."""

import shlex
from collections.abc import Mapping
from string import Formatter
from typing import Any

from sweeper.errors import TrainerError
from trainable.settings import nearest


def arguments(text: str, values: Mapping[str, Any], *, shell: bool = False) -> list[str]:
    """The arguments of a command, each value within one of them whatever is in it.

    Args:
        shell: One line for a shell, with the values quoted.

    Raises:
        TrainerError: it has a `{name}` that is none of the values.
    """
    if shell:
        quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
        return ["/bin/sh", "-c", filled(text, quoted)]
    return [filled(part, values) for part in _split(text)]


def filled(text: str, values: Mapping[str, Any]) -> str:
    """
    Raises:
        TrainerError: it has a `{name}` that is none of the values.
    """
    for name in names_in(text):
        if name not in values:
            raise TrainerError(f"trainer: {{{name}}} is no setting{nearest(name, list(values))}")
    return text.format_map(values)


def names_in(text: str) -> list[str]:
    """The names in braces.

    Raises:
        TrainerError: a brace is open, or holds more than a name.
    """
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise TrainerError(
            f"trainer: {text!r}: {error}; a brace that is meant is written twice"
        ) from None
    names = [name for _, name, _, _ in parts if name is not None]
    if wrong := [name for name in names if not name.isidentifier()]:
        raise TrainerError(
            f"trainer: {text!r}: {{{wrong[0]}}} is no name; a brace that is meant is written twice"
        )
    return names


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise TrainerError(f"trainer.command: {text!r}: {error}") from None
