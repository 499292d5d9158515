"""Points of a space: what is swept at them, how they are stated, and how they are shown."""

import json
from collections.abc import Mapping
from contextlib import suppress

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.values import Scalar
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import KnownSettings
from trainable.settings import nearest

Point = dict[str, Scalar]  # a value for each name that is swept there


def swept(space: Mapping[str, AnyDomain], point: Point) -> Point:
    """The point, without the values of names that are not swept there."""
    return {key: value for key, value in point.items() if is_swept(space, key, point)}


def is_swept(space: Mapping[str, AnyDomain], key: str, point: Point) -> bool:
    """Whether a name is swept at a point: it has no condition, or its condition holds there. That
    it does not if the name in it is not swept there itself, or has no value yet."""
    return all(
        name in point and is_swept(space, name, point) and point[name] in options
        for name, options in (space[key].when or {}).items()
    )


def known_point(
    space: Mapping[str, AnyDomain], stated: Mapping[str, Scalar], known: KnownSettings
) -> tuple[Point, list[tuple[str, str]]]:
    """The point that a mapping of names to values states, in the order and with the types of the
    space; and what is wrong with it, as pairs of a name and a problem.

    The conditions of the space must not be circular.
    """
    values: Point = {}
    problems: list[tuple[str, str]] = []
    for name, value in stated.items():
        if name not in space:
            problems.append((name, f"no such name is swept{nearest(name, list(space))}"))
            continue
        try:
            values[name] = fitted(name, space[name], value, known)
        except ValueError as error:
            problems.append((name, str(error)))
    if problems:
        return {}, problems
    for name, domain in space.items():
        if is_swept(space, name, values) and name not in values:
            problems.append((name, "is missing; a point has a value for every name"))
        elif name in values and not is_swept(space, name, values):
            problems.append((name, f"is swept only where {_shown(domain.when or {})}; remove it"))
    return {name: values[name] for name in space if name in values}, problems


def point_of(
    space: Mapping[str, AnyDomain], settings: Mapping[str, Scalar], known: KnownSettings
) -> Point | None:
    """The point of the space that has these settings; None if there is none.

    A bundle is recognised by what it sets, whatever its name.
    """
    values: Point = {}
    for name, domain in space.items():
        if domain.is_bundled and isinstance(domain, Grid | Choice):
            labels = [
                label
                for label in domain.values()
                if all(
                    key in settings and settings[key] == of
                    for key, of in domain.meaning(name, label).items()
                )
            ]
            if labels:  # that of most settings: others may be a part of it
                values[name] = max(labels, key=lambda label: len(domain.meaning(name, label)))
        elif name in settings:  # another trainer's may lack it
            with suppress(ValueError):  # no value of the domain: the name may not be swept there
                values[name] = fitted(name, domain, settings[name], known)
    point = {name: values[name] for name in values if is_swept(space, name, values)}
    return None if known_point(space, point, known)[1] else {name: point[name] for name in point}


def fitted(name: str, domain: AnyDomain, value: Scalar, known: KnownSettings) -> Scalar:
    """The value of the domain of `name` that equals `value`.

    Raises:
        ValueError: there is none; the message says what would be right.
    """
    if isinstance(domain, Normal) and not known.is_legal(name, number := domain.fitted(value)):
        raise ValueError(f"{name} cannot be {number:g}")
    return domain.fitted(value)


def _shown(conditions: Mapping[str, list[Scalar]]) -> str:
    return " and ".join(f"{name} is {' or '.join(map(str, of))}" for name, of in conditions.items())


def point_text(values: Mapping[str, Scalar], between: str = " ") -> str:
    """A point, or the values of a trial, in one line. `between` stands between name and value."""
    return ", ".join(f"{name}{between}{swept_text(value)}" for name, value in values.items())


def swept_text(value: Scalar) -> str:
    """A swept value, short, as in the file: 0.0012, 3e-05, small, true, null."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
