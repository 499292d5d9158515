"""From a search-space file to a checked `SweepSpec`: every problem at once, each with its line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sweeper.errors import SpecError
from sweeper.plan.plan import check_configs
from sweeper.spec.columns import COLUMNS
from sweeper.spec.constraints import Constraint
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogUniform, Uniform
from sweeper.spec.domains.values import Scalar
from sweeper.spec.reading.overrides import override
from sweeper.spec.reading.schema_problems import schema_problems
from sweeper.spec.reading.search_problems import initial_problems, search_problems
from sweeper.spec.reading.yaml_source import KeyPath, Plain, Problem, YamlSource, read_yaml
from sweeper.spec.scheduler_spec import GRACE_KEYS, AnySchedulerSpec, GraceSpec, PbtSpec
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import Resources, Search, Seeds, SweepSpec
from sweeper.spec.train_settings import (
    CHANGEABLE_IN_MID_RUN,
    OWNED,
    TYPES,
    Derived,
    Stated,
    derivation_cycle,
    is_legal,
    is_number,
)
from trainable.config import nearest, typed
from trainable.errors import ConfigError


def load_spec(path: Path, overrides: Sequence[str] = ()) -> tuple[SweepSpec, YamlSource]:
    """The sweep in a file, and the file's lines for later messages.

    Args:
        overrides: `KEY=VALUE` each, as of `--set`.

    Raises:
        SpecError: with every problem found. Settings that do not go together are looked for once
            each is right by itself.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise SpecError([source.problem((), _no_mapping(source.data))])
    source = override(source, overrides)
    data = _mapping(source.data)
    problems = _section_problems(data)
    try:
        spec = SweepSpec.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        problems += schema_problems(error, data)
        raise SpecError(source.problems(problems)) from None
    if problems:
        raise SpecError(source.problems(problems))
    check_configs(spec, source)
    return spec, source


def _no_mapping(data: Plain) -> str:
    found = "is empty" if data is None else f"is a {'list' if isinstance(data, list) else 'value'}"
    return f"{found}; it must be a mapping with at least `space:`, as in search_spaces/lr.yaml"


def _section_problems(data: dict[str, Plain]) -> list[Problem]:
    """What the schema cannot see, in those parts of the file that fit it."""
    train = {
        name: value if (fitting := _fitting(Stated, value)) is None else fitting
        for name, value in _mapping(data.get("train")).items()
    }
    domains = {
        key: _fitting(AnyDomain, value) for key, value in _mapping(data.get("space")).items()
    }
    space = {key: domain for key, domain in domains.items() if domain is not None}
    search = _fitting(Search, data.get("search", {}))
    seeds = _fitting(Seeds, data.get("seeds"))
    resources = _fitting(Resources, data.get("resources", {}))
    scheduler = _fitting(AnySchedulerSpec, data.get("scheduler"))
    problems = [
        *_setting_problems(train, space),
        *_derived_problems(train),
        *_space_problems(train, space),
        *_condition_problems(space, set(domains)),
        *([] if resources is None else _case_problems(resources, space, set(domains))),
        *_constraint_problems(data.get("constraints")),
        *([] if seeds is None else _seeds_problems(train, space)),
        *([] if search is None else search_problems(search, space, len(seeds or [0]))),
        *_grace_problems(scheduler),
        *(_pbt_problems(data, space, seeds, search) if isinstance(scheduler, PbtSpec) else []),
    ]
    space_is_right = domains == space and all(key_path[0] != "space" for key_path, _ in problems)
    if search is not None and space_is_right:
        problems += initial_problems(search, space)
    return problems


def _mapping(value: Plain) -> dict[str, Plain]:
    return value if isinstance(value, dict) else {}


def _fitting(kind: Any, value: object) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def _setting_problems(train: Mapping[str, object], space: Mapping[str, AnyDomain]) -> list[Problem]:
    """Names and types of the training settings, against the trainable's own."""
    stated: list[tuple[KeyPath, str, object]] = [
        (("train", name), name, value) for name, value in train.items()
    ]
    for key, domain in space.items():
        stated += _stated_values(("space", key), domain)
    problems: list[Problem] = []
    for key_path, name, value in stated:
        if (problem := _setting_problem(name, value)) is not None:
            problems.append((key_path, problem))
    return problems


def _setting_problem(name: str, value: object) -> str | None:
    if name in OWNED:
        return f"is not set here but by `{OWNED[name]}:`, a folder with both files"
    if name not in TYPES:
        return f"no such training setting{nearest(name, TYPES)}"
    if isinstance(value, list | dict | Derived):
        return None  # the schema has refused it, or it is looked at as what it is
    try:
        typed(name, value, TYPES[name])
    except ConfigError as error:
        return error.problem
    return None


def _derived_problems(train: Mapping[str, object]) -> list[Problem]:
    """What a value may be derived from: a number, and not itself."""
    problems: list[Problem] = []
    for name, formula in train.items():
        if not isinstance(formula, Derived) or name not in TYPES or name in OWNED:
            continue
        if not is_number(name):
            problems.append((("train", name), "is no number, and cannot be derived from one"))
        if formula.of not in TYPES:
            hint = nearest(formula.of, TYPES)
            problems.append((("train", name, "of"), f"no training setting {formula.of!r}{hint}"))
        elif not is_number(formula.of):
            problems.append((("train", name, "of"), f"{formula.of} is no number"))
        if (cycle := derivation_cycle(train, name)) is not None:
            way = " -> ".join(cycle)
            problems.append((("train", name), f"is derived from itself: {way}; state one of them"))
    return problems


def _stated_values(key_path: KeyPath, domain: AnyDomain) -> list[tuple[KeyPath, str, object]]:
    """Each value that a domain states: where, for which training setting, what."""
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


def _space_problems(train: Mapping[str, object], space: Mapping[str, AnyDomain]) -> list[Problem]:
    """What a swept name may be: one setting that nothing else sets, or a new name for bundles."""
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for key, domain in space.items():
        found = []
        if isinstance(domain, Uniform | LogUniform | Normal) and not _takes_real_numbers(key):
            found.append("is no real number; sweep it with `randint:`, or list its values")
        elif isinstance(domain, Normal) and key in TYPES and not is_legal(key, domain.mean):
            found.append(f"the mean must be a value that {key} may have, got {domain.mean:g}")
        if domain.is_bundled and (key in TYPES or key in COLUMNS):
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


def _takes_real_numbers(name: str) -> bool:
    try:
        typed(name, 0.5, TYPES.get(name, float))
    except ConfigError:
        return False
    return True


def _condition_problems(space: Mapping[str, AnyDomain], stated: set[str]) -> list[Problem]:
    """A condition names values that another swept name can take, and never its own."""
    problems: list[Problem] = []
    for key, domain in space.items():
        when = ("space", key, "when")
        problems += _option_problems(when, domain.when or {}, space, stated)
        if key in _conditions(space, key):
            problems.append((when, "depends on itself; remove a condition"))
    return problems


def _option_problems(
    when: KeyPath,
    conditions: Mapping[str, list[Scalar]],
    space: Mapping[str, AnyDomain],
    stated: set[str],
) -> list[Problem]:
    problems: list[Problem] = []
    for name, options in conditions.items():
        key_path = (*when, name)
        if name not in stated:
            hint = nearest(name, sorted(stated))
            problems.append((key_path, f"no such name is swept{hint}"))
        elif isinstance(other := space.get(name), Grid | Choice):
            unknown = [option for option in options if option not in other.values()]
            problems += [(key_path, f"{name} is never {option!r}") for option in unknown]
        elif other is not None:
            problems.append((key_path, "must have listed values (`grid:` or `choice:`)"))
    return problems


def _case_problems(
    resources: Resources, space: Mapping[str, AnyDomain], stated: set[str]
) -> list[Problem]:
    """A case names values that swept names can take, and says what is other there."""
    problems: list[Problem] = []
    for index, case in enumerate(resources.cases):
        at = ("resources", "cases", index)
        problems += _option_problems((*at, "when"), case.when, space, stated)
        if case.cpu is None and case.gpu is None:
            problems.append((at, "must say what is other there, as {gpu: 1}"))
    return problems


def _conditions(space: Mapping[str, AnyDomain], key: str) -> set[str]:
    """The names on whose values it depends whether `key` is swept, near and far."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        domain = space.get(waiting.pop())
        near = set() if domain is None else set(domain.when or {})
        waiting += near - found
        found |= near
    return found


def _constraint_problems(stated: Plain) -> list[Problem]:
    """What an operand may name: a training setting that is a number."""
    problems: list[Problem] = []
    for index, constraint in enumerate(stated if isinstance(stated, list) else []):
        if (fitting := _fitting(Constraint, constraint)) is None:
            continue
        for relation, place, name in fitting.operands():
            key_path = ("constraints", index, relation, place)
            if not isinstance(name, str):
                continue
            if name not in TYPES:
                problems.append((key_path, f"no training setting {name!r}{nearest(name, TYPES)}"))
            elif not is_number(name) or name == "seed":
                problems.append((key_path, f"{name} cannot be constrained, only other numbers"))
    return problems


def _seeds_problems(train: Mapping[str, object], space: Mapping[str, AnyDomain]) -> list[Problem]:
    places = [f"space.{key}" for key, domain in space.items() if "seed" in domain.sets(key)]
    places += ["train.seed"] if "seed" in train else []
    return [(("seeds",), f"{place} sets the seed already; remove one") for place in places]


def _grace_problems(scheduler: object) -> list[Problem]:
    """The first rung is stated in the units of the clock."""
    if not isinstance(scheduler, GraceSpec):
        return []
    problems: list[Problem] = []
    for clock, key in GRACE_KEYS.items():
        stated = getattr(scheduler, key) is not None
        if clock == scheduler.clock and not stated:
            because = "" if clock == "step" else f" with clock: {clock}"
            problems.append((("scheduler", key), f"is required{because}"))
        elif clock != scheduler.clock and stated:
            remedy = f"set clock: {clock}, or state {scheduler.grace_key}"
            problems.append((("scheduler", key), f"the clock is {scheduler.clock}; {remedy}"))
    return problems


def _pbt_problems(
    data: Mapping[str, Plain],
    space: Mapping[str, AnyDomain],
    seeds: list[int] | None,
    search: Search | None,
) -> list[Problem]:
    """Under pbt a trial takes other values as it runs, which not every setting can."""
    problems: list[Problem] = []
    for key, domain in space.items():
        if fixed := sorted(domain.sets(key) - set(CHANGEABLE_IN_MID_RUN)):
            problem = f"{fixed[0]} cannot change in a run, as pbt wants; it can sweep: "
            problems.append((("space", key), problem + ", ".join(CHANGEABLE_IN_MID_RUN)))
        if domain.when is not None:
            problems.append((("space", key, "when"), "pbt cannot sweep on conditions; remove it"))
    if seeds is not None:
        problems.append((("seeds",), "pbt compares the trials of one seed; set train.seed"))
    if search is not None and search.algorithm not in ("grid", "random"):
        problem = "pbt changes the values that were suggested; use grid or random"
        problems.append((("search", "algorithm"), problem))
    if _mapping(data.get("checkpoints")).get("budget") is not None:
        problem = "pbt needs the checkpoint of every trial that is paused; remove it"
        problems.append((("checkpoints", "budget"), problem))
    return problems
