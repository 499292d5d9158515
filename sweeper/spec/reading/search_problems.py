"""What is wrong with `search:`: initial points that the space does not have, or an algorithm that
cannot do what is asked."""

import math
from collections.abc import Mapping

from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.points import known_point
from sweeper.spec.reading.names import swept_hint
from sweeper.spec.reading.yaml_source import Problem
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import Search
from sweeper.spec.trainer.settings import KnownSettings

MAX_TRIALS = 100_000
NUM_TRIALS = ("search", "num_trials")


def search_problems(
    search: Search, space: Mapping[str, AnyDomain], num_seeds: int
) -> list[Problem]:
    problems: list[Problem] = []
    if search.algorithm == "grid":
        problems += _grid_problems(search, space, num_seeds)
    elif search.algorithm == "model" and search.num_trials is None:
        problems += _listed_problems(space, num_seeds, "needs `search.num_trials`, as 40")
    elif search.num_trials is None:
        problems.append((NUM_TRIALS, f"is required for a {search.algorithm} search, as 20"))
    elif search.num_trials * num_seeds > MAX_TRIALS:
        problems.append((NUM_TRIALS, _too_many(search.num_trials * num_seeds)))
    elif search.num_trials < len(search.initial or []):
        stated = len(search.initial or [])
        problems.append(
            (NUM_TRIALS, f"counts the {stated} of `initial:` too, got {search.num_trials}")
        )
    if search.alpha is not None and search.algorithm != "model":
        problem = f"is for algorithm: model, not {search.algorithm}; remove it"
        problems.append((("search", "alpha"), problem))
    return problems


def initial_problems(
    search: Search, space: Mapping[str, AnyDomain], known: KnownSettings
) -> list[Problem]:
    """What is wrong with the initial points. The conditions of the space have been checked."""
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for index, stated in enumerate(search.initial or []):
        at = ("search", "initial", index)
        point, wrong = known_point(space, stated, known)
        for name, problem in wrong:
            unknown = f"no such name is swept{swept_hint(name, list(space))}"
            problems.append(((*at, name), problem if name in space else unknown))
        if not wrong and (first := seen.setdefault(repr(point), index)) != index:
            problems.append((at, f"is the same as number {first}; remove one"))
    return problems


def _grid_problems(search: Search, space: Mapping[str, AnyDomain], num_seeds: int) -> list[Problem]:
    needs = (
        "needs listed values in a grid search; list them with `grid:`, or draw them: "
        "search: {algorithm: random, num_trials: 20}"
    )
    problems = _listed_problems(space, num_seeds, needs)
    if search.num_trials is not None:
        remedy = "remove it, or set algorithm: random"
        problems.append((NUM_TRIALS, f"a grid search tries every combination; {remedy}"))
    return problems


def _listed_problems(
    space: Mapping[str, AnyDomain], num_seeds: int, otherwise: str
) -> list[Problem]:
    """What keeps a space from being searched as the list of all its combinations. `otherwise`: what
    is said of a name whose values are not listed."""
    listed = {key: domain for key, domain in space.items() if isinstance(domain, Grid | Choice)}
    problems: list[Problem] = [(("space", key), otherwise) for key in space if key not in listed]
    combinations = num_seeds * math.prod(len(domain.values()) for domain in listed.values())
    if combinations > MAX_TRIALS:
        problems.append((("space",), _too_many(combinations)))
    return problems


def _too_many(num_trials: int) -> str:
    return (
        f"a sweep has at most {MAX_TRIALS:,} trials, got {num_trials:,}; "
        "draw some of them: search: {algorithm: random, num_trials: 200}"
    )
