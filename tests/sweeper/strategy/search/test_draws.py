import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sweeper.spec.points import Point
from sweeper.spec.space import AnyDomain
from sweeper.spec.trainer.settings import OURS
from sweeper.strategy.search.draws import grid_points, random_points

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


def first_points(space: dict[str, AnyDomain], seed: int, number: int) -> list[Point]:
    return [next(random_points(space, seed, index, OURS)) for index in range(number)]


@given(columns, seeds)
def test_a_grid_is_every_combination_once(values: dict[str, list[int]], seed: int) -> None:
    space = space_of({key: {"grid": listed} for key, listed in values.items()})
    points = [tuple(point.items()) for point in grid_points(space, seed)]
    rows = itertools.product(*values.values())
    assert sorted(points) == sorted(tuple(zip(values, row, strict=True)) for row in rows)


@given(columns, seeds)
def test_the_order_of_a_grid_is_a_function_of_its_seed(values: Any, seed: int) -> None:
    space = space_of({key: {"grid": listed} for key, listed in values.items()})
    assert grid_points(space, seed) == grid_points(space, seed)


CONDITIONAL: dict[str, Any] = {
    "beta1": {"grid": [0.8, 0.9], "when": {"warmup_steps": [10, 20]}},
    "warmup_steps": {"grid": [0, 10, 20], "when": {"size": "large"}},
    "size": {"grid": {"small": {"d_ff": 8}, "large": {"d_ff": 16}}},
}


def test_a_name_is_swept_only_where_its_condition_holds_and_each_point_stands_once() -> None:
    points = grid_points(space_of(CONDITIONAL), 0)
    assert sorted(points, key=repr) == sorted(
        [
            {"size": "small"},
            {"warmup_steps": 0, "size": "large"},
            *(
                {"beta1": beta1, "warmup_steps": warmup, "size": "large"}
                for beta1 in (0.8, 0.9)
                for warmup in (10, 20)
            ),
        ],
        key=repr,
    )


@given(seeds)
def test_random_points_have_a_name_only_where_its_condition_holds(seed: int) -> None:
    stated = CONDITIONAL | {"beta2": {"uniform": [0, 0.5], "when": {"size": ["small"]}}}
    for point in first_points(space_of(stated), seed, 10):
        assert ("warmup_steps" in point) == (point["size"] == "large")
        assert ("beta2" in point) == (point["size"] == "small")
        assert ("beta1" in point) == (point.get("warmup_steps", 0) != 0)


def test_a_grid_is_shuffled_by_its_seed() -> None:
    space = space_of({"d_model": {"grid": list(range(20))}})
    orders = {tuple(point["d_model"] for point in grid_points(space, seed)) for seed in (0, 1)}
    assert len(orders) == 2
    assert tuple(range(20)) not in orders


@given(seeds, st.integers(0, 1000))
def test_a_random_point_is_a_function_of_seed_and_number(seed: int, index: int) -> None:
    space = space_of(SPACE)
    first, second = (
        list(itertools.islice(random_points(space, seed, index, OURS), 3)) for _ in range(2)
    )
    assert first == second


def test_random_points_differ_from_each_other_and_by_seed() -> None:
    space = space_of({"learning_rate": {"loguniform": [1e-4, 1e-1]}})
    drawn = [p["learning_rate"] for seed in (0, 1) for p in first_points(space, seed, 50)]
    assert len(set(drawn)) == 100


def test_adding_a_name_never_moves_names_before_it() -> None:
    """Names are drawn in the order of the file, so a new one belongs at its end."""
    longer = first_points(space_of(SPACE), 0, 5)
    shorter = first_points(space_of({k: SPACE[k] for k in list(SPACE)[:2]}), 0, 5)
    for long, short in zip(longer, shorter, strict=True):
        assert {key: long[key] for key in short} == short
