"""From a search-space file to a checked `SweepSpec`: every problem at once, each with its line."""

import math
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from sweeper.errors import SpecError
from sweeper.plan import OWNED
from sweeper.space import DOMAINS, Choice, Grid, LogUniform, RandInt, Uniform
from sweeper.spec import AshaSpec, FifoSpec, Objective, Resources, Search, SweepSpec
from sweeper.yaml_source import KeyPath, YamlSource, read_yaml
from trainable.config import TrainConfig, nearest, typed
from trainable.errors import ConfigError

SECTIONS: dict[KeyPath, type[BaseModel]] = {
    (): SweepSpec,
    ("objective",): Objective,
    ("search",): Search,
    ("resources",): Resources,
}
SCHEDULERS: dict[str, type[BaseModel]] = {"asha": AshaSpec, "fifo": FifoSpec}


def load_spec(path: Path) -> tuple[SweepSpec, YamlSource]:
    """The sweep in a file, and the file's lines for later messages.

    Raises:
        SpecError: with every problem found.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise SpecError([source.problem((), "must be a mapping with `name:` and `space:`")])
    try:
        spec = SweepSpec.model_validate({"name": path.stem, **source.data})
    except ValidationError as error:
        raise SpecError(_problems(error, source)) from None
    problems = [*_setting_problems(spec, source), *_search_problems(spec, source)]
    if problems:
        raise SpecError(problems)
    return spec, source


def _problems(error: ValidationError, source: YamlSource) -> list[str]:
    problems = []
    for detail in error.errors(include_url=False):
        key_path, node = _locate(detail["loc"], source.data)
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = _unknown(key_path, source.data)
        elif detail["type"] == "missing":
            key_path = (*key_path, detail["loc"][-1])
            message = "is required"
        elif detail["type"] == "too_short" and not node:
            message = "must not be empty"
        elif detail["type"] == "domain" and isinstance(node, dict):
            message += "".join(f"; {key!r}{nearest(str(key), list(DOMAINS))}" for key in node)
        elif detail["type"] not in {"value_error"}:
            message = f"{message[0].lower()}{message[1:]}, got {node!r}"
        problems.append(source.problem(key_path, message))
    return list(dict.fromkeys(problems))


def _locate(location: tuple[str | int, ...], data: Any) -> tuple[KeyPath, Any]:
    """pydantic's location without the tags of unions, and the value that stands there."""
    key_path: KeyPath = ()
    for part in location:
        children = dict(enumerate(data)) if isinstance(data, list) else data
        if isinstance(children, dict) and part in children:
            key_path, data = (*key_path, part), children[part]
    return key_path, data


def _unknown(key_path: KeyPath, data: Any) -> str:
    *section, key = key_path
    if section == ["scheduler"]:
        model = SCHEDULERS[data["scheduler"]["type"]]
    elif section and section[0] == "space":
        return f"no such key beside {', '.join(k for k in DOMAINS if k in data['space'])}"
    else:
        model = SECTIONS[tuple(section)]
    known = list(model.model_fields)
    return f"no such key{nearest(str(key), known)} (there are: {', '.join(known)})"


def _setting_problems(spec: SweepSpec, source: YamlSource) -> list[str]:
    """Names and types of `train:` and `space:`, against the trainable's own."""
    types = get_type_hints(TrainConfig)
    problems: list[str] = []

    def check(key_path: KeyPath, name: str, value: Any) -> None:
        if name in OWNED:
            problems.append(source.problem(key_path, f"is set by `{OWNED[name]}:`"))
        elif name not in types:
            problems.append(
                source.problem(key_path, f"no such training setting{nearest(name, types)}")
            )
        else:
            try:
                typed(name, value, types[name])
            except ConfigError as error:
                problems.append(source.problem(key_path, error.problem))

    for name, value in spec.train.items():
        check(("train", name), name, value)
    for key, domain in spec.space.items():
        for key_path, name, value in _stated_values(("space", key), domain):
            check(key_path, name, value)
    return [*dict.fromkeys(problems), *_double_problems(spec, source)]


def _stated_values(key_path: KeyPath, domain: Any) -> list[tuple[KeyPath, str, Any]]:
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
        case Uniform(uniform=bounds) | LogUniform(loguniform=bounds):
            # A real number drawn for a whole setting would fail at the first draw.
            return [(key_path, key, math.nextafter(bounds[0], math.inf))]
        case RandInt(randint=whole_bounds):
            return [(key_path, key, value) for value in whole_bounds]
        case _:
            raise AssertionError(domain)


def _double_problems(spec: SweepSpec, source: YamlSource) -> list[str]:
    """A setting must have one owner; only a bundle may override `train:`."""
    problems = []
    owners: dict[str, str] = {}
    for key, domain in spec.space.items():
        for name in sorted(domain.sets(key)):
            if name in owners:
                problems.append(
                    source.problem(("space", key), f"{name} is swept by {owners[name]} already")
                )
            owners[name] = key
        if key in spec.train:
            problems.append(
                source.problem(("space", key), "stands in `train:` too; remove one of the two")
            )
    return problems


def _search_problems(spec: SweepSpec, source: YamlSource) -> list[str]:
    problems = []
    if spec.search.algorithm == "grid":
        for key, domain in spec.space.items():
            if not isinstance(domain, Grid | Choice):
                problems.append(
                    source.problem(
                        ("space", key),
                        "a grid search needs listed values; list them with `grid:`, or set "
                        "search: {algorithm: random, num_trials: 20}",
                    )
                )
        if spec.search.num_trials is not None:
            problems.append(
                source.problem(
                    ("search", "num_trials"),
                    "a grid search tries every combination; remove it, or set algorithm: random",
                )
            )
    elif spec.search.num_trials is None:
        problems.append(source.problem(("search", "num_trials"), "random search needs it"))
    return problems
