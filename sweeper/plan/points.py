"""The points that a sweep tries, drawn from its space in the order in which trials are created."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.search.draws import grid_points, random_points

MAX_DRAWS = 1000  # for one random trial


class NoPointError(Exception):
    """The constraints admit no point, or hardly any."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """All points that a sweep tries."""

    points: list[Point]
    dropped: int  # points of the grid, or draws, that the constraints ruled out


def draw(spec: SweepSpec) -> Drawn:
    """Every point once, without regard to `seeds:`. If the search learns, all but the initial
    points are stand-ins: random draws from the same space.

    Raises:
        NoPointError: the constraints rule out all points, or nearly all.
    """
    initial = spec.initial_points()
    if spec.search.num_trials is None:  # a grid, all of it or as much of it as a model asks for
        every = {repr(point): point for point in initial}  # each once; True is not 1
        every |= {repr(point): point for point in grid_points(spec.space, spec.search.seed)}
        points = [point for point in every.values() if spec.admits(point)]
        if not points:
            raise NoPointError(f"none of {len(every):,} combinations satisfies them all")
        return Drawn(points=points, dropped=len(every) - len(points))
    number = spec.search.num_trials - len(initial)
    if spec.search.algorithm == "sobol":
        from sweeper.strategy.search.optuna_axes import sobol_points

        sequence = sobol_points(spec.space, spec.search.seed, spec.known)
        drawn = [_first_admitted(spec, sequence) for _ in range(number)]
    else:
        drawn = [
            _first_admitted(spec, random_points(spec.space, spec.search.seed, index, spec.known))
            for index in range(number)
        ]
    points = [*initial, *(point for point, _ in drawn)]
    return Drawn(points=points, dropped=sum(dropped for _, dropped in drawn))


def _first_admitted(spec: SweepSpec, points: Iterator[Point]) -> tuple[Point, int]:
    """The first point that is admitted, and how many came before it."""
    for dropped, point in enumerate(islice(points, MAX_DRAWS)):
        if spec.admits(point):
            return point, dropped
    raise NoPointError(f"none of {MAX_DRAWS:,} random draws in a row satisfies them all")


def with_seeds(spec: SweepSpec, points: list[Point]) -> list[Point]:
    """The values of every trial: each point with each of `seeds:`, and then the next point."""
    if spec.seeds is None:
        return points
    return [point | {"seed": seed} for point in points for seed in spec.seeds]


def num_trials(spec: SweepSpec) -> int:
    """How many trials a sweep has. They are only drawn if the file does not state it."""
    num_points = spec.search.num_trials or len(draw(spec).points)
    return num_points * spec.num_seeds
