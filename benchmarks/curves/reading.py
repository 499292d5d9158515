"""The recorded curves, for tests and benchmarks.

python -m benchmarks.curves.reading    # a table of the families
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

HERE = Path(__file__).parent
GOOD = 8  # so many of a family's best settings say how much seeds differ


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run: its settings, and its loss at each evaluation."""

    family: str
    corpus: str
    size: str
    trial: int
    point: int  # the same for each seed of a setting
    seed: int
    status: str  # completed or diverged
    learning_rate: float
    min_learning_rate: float
    warmup_steps: int
    max_steps: int
    weight_decay: float
    num_parameters: int
    steps: tuple[int, ...]
    tokens: tuple[int, ...]
    losses: tuple[float, ...]  # finite; where the run diverged, the last step has none


def families() -> list[str]:
    """The names of the families that are recorded."""
    return sorted(file.stem for file in HERE.glob("*.parquet"))


def read_family(family: str) -> list[Curve]:
    """The runs of a family, by trial."""
    rows = pq.read_table(HERE / f"{family}.parquet").to_pylist()
    runs: dict[int, list[dict]] = {}
    for row in rows:
        runs.setdefault(row["trial"], []).append(row)
    of_run = [name for name in Curve.__dataclass_fields__ if name in rows[0] and name != "tokens"]
    return [
        Curve(
            **{name: run[0][name] for name in of_run},
            steps=tuple(row["step"] for row in run),
            tokens=tuple(row["tokens"] for row in run),
            losses=tuple(row["val_loss"] for row in run if row["val_loss"] is not None),
        )
        for run in runs.values()
    ]


def final_losses(curves: list[Curve]) -> dict[int, list[float]]:
    """The final losses of each point of which every seed has completed."""
    points: dict[int, list[Curve]] = {}
    for curve in curves:
        points.setdefault(curve.point, []).append(curve)
    return {
        point: [curve.losses[-1] for curve in seeds]
        for point, seeds in points.items()
        if all(curve.status == "completed" for curve in seeds)
    }


def own_deviation(points: list[list[float]]) -> float:
    """The seeds' deviation without what a seed does to all of these points alike."""
    means = [statistics.mean(losses) for losses in points]
    excesses = [[loss - m for loss in losses] for losses, m in zip(points, means, strict=True)]
    shifts = [statistics.mean(of_seed) for of_seed in zip(*excesses, strict=True)]
    squares = [(e - s) ** 2 for of in excesses for e, s in zip(of, shifts, strict=True)]
    return (sum(squares) / ((len(points) - 1) * (len(shifts) - 1))) ** 0.5


def row_of(family: str) -> str:
    """A line of the table: the best setting is the one of the least mean over its seeds."""
    curves = read_family(family)
    finals = final_losses(curves)
    good = sorted(finals.values(), key=statistics.mean)[:GOOD]
    deviation = statistics.mean(statistics.variance(losses) for losses in good) ** 0.5
    best = min(finals, key=lambda point: statistics.mean(finals[point]))
    of_best = next(curve for curve in curves if curve.point == best)
    cells = [
        family,
        str(len({curve.point for curve in curves})),
        str(len({curve.seed for curve in curves})),
        str(sum(curve.status == "diverged" for curve in curves)),
        str(of_best.max_steps),
        f"{of_best.num_parameters:,}",
        f"{statistics.mean(good[0]):.4f}",
        f"{of_best.learning_rate:g}, {of_best.warmup_steps}, {of_best.weight_decay:g}",
        f"{statistics.mean(good[GOOD - 1]) - statistics.mean(good[0]):.4f}",
        f"{deviation:.4f}",
        f"{own_deviation(good):.4f}",
    ]
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| family | settings | seeds | diverged runs | steps | parameters | best loss "
    "| at LR, warmup, weight decay | eighth is behind by | sd of seeds, best eight "
    "| what of it is not common to all |"
)


def main() -> None:
    print(HEADER)
    print("|---" * HEADER.count(" | ") + "|---|")
    for family in families():
        print(row_of(family))


if __name__ == "__main__":
    main()
