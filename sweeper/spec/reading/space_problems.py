"""What is wrong with `train:` and `space:` that the schema cannot see: names, types, and settings
that are set twice."""

from collections.abc import Mapping

from sweeper.spec.columns import COLUMNS
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogUniform, Uniform
from sweeper.spec.domains.values import Scalar
from sweeper.spec.reading.names import setting_hint, swept_hint
from sweeper.spec.reading.yaml_source import KeyPath, Problem
from sweeper.spec.space import AnyDomain
from sweeper.spec.train_settings import Derived, derivation_cycle
from sweeper.spec.trainer.settings import OURS, OWNED, KnownSettings
from trainable.errors import ConfigError
from trainable.settings import typed


def setting_problems(
    known: KnownSettings, train: Mapping[str, object], space: Mapping[str, AnyDomain]
) -> list[Problem]:
    """Names and types of training settings that are not those of the trainer."""
    stated: list[tuple[KeyPath, str, object]] = [
        (("train", name), name, value) for name, value in train.items()
    ]
    problems: list[Problem] = []
    for key, domain in space.items():
        if not domain.is_bundled and (problem := _name_problem(known, key)) is not None:
            problems.append((("space", key), problem))  # once, and not for each value
        else:
            stated += _stated_values(("space", key), domain)
    for key_path, name, value in stated:
        if (problem := _setting_problem(known, name, value)) is not None:
            problems.append((key_path, problem))
    return problems


def _name_problem(known: KnownSettings, name: str) -> str | None:
    if known is OURS and name in OWNED:
        return f"is not set here but by `{OWNED[name]}:`, a folder with these files"
    return None if name in known else f"no such training setting{setting_hint(name, known)}"


def _setting_problem(known: KnownSettings, name: str, value: object) -> str | None:
    if (problem := _name_problem(known, name)) is not None:
        return problem
    if isinstance(value, list | dict | Derived):
        return None  # the schema has refused it, or it is looked at as what it is
    try:
        typed(name, value, known.types[name])
    except ConfigError as error:
        return error.problem
    return None


def derived_problems(known: KnownSettings, train: Mapping[str, object]) -> list[Problem]:
    """A value may only be derived from a number, and not from itself."""
    problems: list[Problem] = []
    for name, formula in train.items():
        if not isinstance(formula, Derived) or name not in known or name in OWNED:
            continue
        if not known.is_number(name):
            problems.append((("train", name), "is no number, and cannot be derived from one"))
        if formula.of not in known:
            hint = setting_hint(formula.of, known)
            problems.append((("train", name, "of"), f"no training setting {formula.of!r}{hint}"))
        elif not known.is_number(formula.of):
            problems.append((("train", name, "of"), f"{formula.of} is no number"))
        if (cycle := derivation_cycle(train, name)) is not None:
            way = " -> ".join(cycle)
            problems.append((("train", name), f"is derived from itself: {way}; state one of them"))
    return problems


def _stated_values(key_path: KeyPath, domain: AnyDomain) -> list[tuple[KeyPath, str, object]]:
    """Each value that a domain states: where it is, its training setting, and the value."""
    key = str(key_path[-1])
    match domain:
        case Grid(grid=listed) | Choice(choice=listed):
            kind = "grid" if isinstance(domain, Grid) else "choice"
            if isinstance(listed, dict):
                return [
                    ((*key_path, kind, label, name), name, value)
                    for label, bundle in listed.items()
                    for name, value in bundle.items()
                ]
            return [((*key_path, kind, i), key, value) for i, value in enumerate(listed)]
        case Normal(mean=mean):
            return [(key_path, key, mean)]
        case _:
            return [(key_path, key, bound) for bound in domain.bounds()]


def space_problems(
    known: KnownSettings, train: Mapping[str, object], space: Mapping[str, AnyDomain]
) -> list[Problem]:
    """A swept name must be a setting that nothing else sets, or a new name for bundles."""
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for key, domain in space.items():
        found = []
        if isinstance(domain, Uniform | LogUniform | Normal) and not _takes_real_numbers(
            known, key
        ):
            found.append("is no real number; sweep it with `randint:`, or list its values")
        elif isinstance(domain, Normal) and not known.is_legal(key, domain.mean):
            found.append(f"the mean must be a value that {key} may have, got {domain.mean:g}")
        if domain.is_bundled and (key in known or key in COLUMNS):
            found.append("names bundles, and is a column of the results; choose another name")
        elif domain.is_bundled and not (key and key.isprintable()):
            found.append("names bundles, and must be printable text")
        elif key in train and domain.when is None:
            found.append("stands in `train:` too; remove one of the two")
        for name in sorted(domain.sets(key)):
            if name in owners:
                found.append(f"{name} is swept by space.{owners[name]} already; remove one")
            owners.setdefault(name, key)
        problems += [(("space", key), problem) for problem in found]
    return problems


def _takes_real_numbers(known: KnownSettings, name: str) -> bool:
    try:
        typed(name, 0.5, known.types.get(name, float))
    except ConfigError:
        return False
    return True


def condition_problems(space: Mapping[str, AnyDomain], stated: set[str]) -> list[Problem]:
    """A condition must name values that another swept name can take, and never its own name."""
    problems: list[Problem] = []
    for key, domain in space.items():
        when = ("space", key, "when")
        problems += option_problems(when, domain.when or {}, space, stated)
        if key in _conditions(space, key):
            problems.append((when, "depends on itself; remove a condition"))
    return problems


def option_problems(
    when: KeyPath,
    conditions: Mapping[str, list[Scalar]],
    space: Mapping[str, AnyDomain],
    stated: set[str],
) -> list[Problem]:
    problems: list[Problem] = []
    for name, options in conditions.items():
        key_path = (*when, name)
        if name not in stated:
            hint = swept_hint(name, sorted(stated))
            problems.append((key_path, f"no such name is swept{hint}"))
        elif isinstance(other := space.get(name), Grid | Choice):
            unknown = [option for option in options if option not in other.values()]
            problems += [(key_path, f"{name} is never {option!r}") for option in unknown]
        elif other is not None:
            problems.append((key_path, "must have listed values (`grid:` or `choice:`)"))
    return problems


def _conditions(space: Mapping[str, AnyDomain], key: str) -> set[str]:
    """All names that decide whether `key` is swept, directly or through other conditions."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        domain = space.get(waiting.pop())
        near = set() if domain is None else set(domain.when or {})
        waiting += near - found
        found |= near
    return found
