import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sweeper.search import grid_suggestions, random_suggestions
from sweeper.space import AnyDomain

columns = st.dictionaries(
    st.sampled_from(["learning_rate", "warmup_steps", "d_model", "beta1"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    min_size=1,
    max_size=3,
)
seeds = st.integers(0, 2**40)

SPACE = {
    "learning_rate": {"loguniform": [1e-4, 1e-1]},
    "beta1": {"uniform": [0.8, 0.9]},
    "warmup_steps": {"randint": [0, 100]},
    "size": {"choice": {"s": {"d_model": 64, "d_ff": 172}, "m": {"d_model": 128, "d_ff": 344}}},
}


def space_of(stated: dict[str, Any]) -> dict[str, AnyDomain]:
    return TypeAdapter(dict[str, AnyDomain]).validate_python(stated)


@given(columns, seeds)
def test_a_grid_is_every_combination_once(values: dict[str, list[int]], seed: int) -> None:
    space = space_of({key: {"grid": listed} for key, listed in values.items()})
    points = [tuple(s.values.items()) for s in grid_suggestions(space, seed)]
    rows = itertools.product(*values.values())
    assert sorted(points) == sorted(tuple(zip(values, row, strict=True)) for row in rows)


@given(columns, seeds)
def test_the_order_of_a_grid_is_a_function_of_its_seed(values: Any, seed: int) -> None:
    space = space_of({key: {"grid": listed} for key, listed in values.items()})
    assert grid_suggestions(space, seed) == grid_suggestions(space, seed)


def test_a_grid_is_shuffled_by_its_seed() -> None:
    space = space_of({"d_model": {"grid": list(range(20))}})
    orders = {tuple(s.values["d_model"] for s in grid_suggestions(space, seed)) for seed in (0, 1)}
    assert len(orders) == 2
    assert tuple(range(20)) not in orders


@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_more_random_trials_keep_the_first_ones(seed: int, few: int, many: int) -> None:
    few, many = sorted((few, many))
    space = space_of(SPACE)
    assert random_suggestions(space, seed, many)[:few] == random_suggestions(space, seed, few)


def test_random_suggestions_differ_from_each_other_and_by_seed() -> None:
    space = space_of({"learning_rate": {"loguniform": [1e-4, 1e-1]}})
    drawn = [
        s.values["learning_rate"] for seed in (0, 1) for s in random_suggestions(space, seed, 50)
    ]
    assert len(set(drawn)) == 100


def test_adding_trials_or_draws_of_one_name_never_moves_names_before_it() -> None:
    """Names are drawn in the order of the file, so a new one belongs at its end."""
    longer = random_suggestions(space_of(SPACE), 0, 5)
    shorter = random_suggestions(space_of({k: SPACE[k] for k in list(SPACE)[:2]}), 0, 5)
    for long, short in zip(longer, shorter, strict=True):
        assert {key: long.values[key] for key in short.values} == short.values


def test_a_suggestion_says_what_was_drawn_and_what_it_sets() -> None:
    for suggestion in random_suggestions(space_of(SPACE), 0, 10):
        assert list(suggestion.values) == list(SPACE)
        size = SPACE["size"]["choice"][str(suggestion.values["size"])]  # type: ignore[index]
        others = {key: value for key, value in suggestion.values.items() if key != "size"}
        assert suggestion.settings == {**others, **size}
