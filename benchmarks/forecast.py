"""How well ends are forecast from a part of training: on the recorded curves.

    python -m benchmarks.forecast [--draws 20]

As in a sweep: of one seed's settings, `ended` drawn ones have come to their ends, and all others
are at the same part of training. The error is that of the forecast against the trial's own end, in
%; of all settings, and of the better half. `inside`: the share of the ends within the 90 %
interval. Nothing was learnt from any other family than the one that is forecast.

`by the seed` is the error, of the better half, that would be left to one who knew where each
setting ends in the mean over its seeds, what each seed does to all of them, and how much of what a
seed has done to a trial so far stays until its end: what no forecast can know beforehand.
"""

import argparse
import os
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from math import isfinite
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from benchmarks.model import observed
from sweeper.analysis.backtest.reading import read_table
from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.status import Status
from sweeper.strategy.surface.axes import Array
from sweeper.strategy.surface.courses import Courses
from sweeper.strategy.surface.observation import Observation

HERE = Path(__file__).parent
PARTS = (0.25, 0.5)
ENDED = (6, 12)
WIDTH = 1.645  # deviations to each side hold 90 % of a normal distribution

HEADER = (
    "| family | part | ended | error, all | better half | its median | inside | better half "
    "| by the seed |\n|---|---|---|---|---|---|---|---|---|"
)


class Case(NamedTuple):
    part: float
    ended: int


class Told(NamedTuple):
    """Of one trial: its forecast's error in %, whether it was inside, whether it is of the better
    half."""

    error: float
    inside: bool
    good: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", type=Path, help="[benchmarks/curves/*.parquet]")
    parser.add_argument("--draws", type=int, default=20)
    arguments = parser.parse_args()
    tables = arguments.tables or sorted((HERE / "curves").glob("*.parquet"))
    cases = [Case(part, ended) for part in PARTS for ended in ENDED]
    print(HEADER)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(of_table, tables, [cases] * len(tables), [arguments.draws] * 99):
            print("\n".join(lines), flush=True)


def of_table(table: Path, cases: list[Case], draws: int) -> list[str]:
    lines = []
    for recording in read_table(table):
        for case in cases:
            told = [
                one
                for draw in range(draws)
                for one in forecast(recording.fields[draw % len(recording.fields)], case, draw)
            ]
            lines.append(row(recording.name, case, told, by_the_seed(recording, case.part)))
    return lines


def forecast(field: Field, case: Case, draw: int) -> Iterator[Told]:
    whole = [observed(field, setting) for setting in range(len(field.curves))]
    sound = [seen for seen in whole if seen.status is Status.COMPLETED]
    random.Random(draw).shuffle(sound)
    seen = sound[: case.ended] + [begun(field, s, case.part) for s in sound[case.ended :]]
    finals = Courses(field.spec).finals(seen)
    values = {repr(one.point): field.sign * (one.value or 0.0) for one in sound}
    middle = median(values.values())
    for one, final in list(zip(seen, finals, strict=True))[case.ended :]:
        assert final is not None
        truth = values[repr(one.point)]
        error = final.value - truth
        yield Told(
            error=100 * abs(error / truth),
            inside=abs(error) <= WIDTH * final.deviation,
            good=truth <= middle,
        )


def by_the_seed(recording: Recording, part: float) -> float | None:
    """In %, of the better half of the settings; None of a single seed."""
    fields = recording.fields
    sound = [s for s in range(len(recording.settings)) if all(isfinite(f.score(s)) for f in fields)]
    ends = np.array([[field.score(s) for s in sound] for field in fields])
    here = np.array([[_at(field, s, part) for s in sound] for field in fields])
    good = ends.mean(axis=0) <= np.median(ends.mean(axis=0))
    own_here, own_end = _own(here[:, good]), _own(ends[:, good])
    if len(fields) < 2 or not own_here.any():
        return None
    stays = (own_here * own_end).sum() / (own_here**2).sum()
    left = np.abs(own_end - stays * own_here).mean()
    # Around a mean of n values these lie closer than around the one that is meant.
    return float(100 * left * np.sqrt(len(fields) / (len(fields) - 1)) / ends[:, good].mean())


def _at(field: Field, setting: int, part: float) -> float:
    return field.sign * begun(field, observed(field, setting), part).curve[-1][1]


def _own(values: Array) -> Array:
    """What neither the setting (a column) nor the seed (a row) explains."""
    own: Array = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    return own


def begun(field: Field, whole: Observation, part: float) -> Observation:
    """The same trial when it had come so far."""
    (config,) = (c.config for c in field.curves if c.point == whole.point)
    curve = [(step, value) for step, value in whole.curve if step <= part * config.max_steps]
    return Observation(whole.point, Status.RUNNING, curve=tuple(curve))


def row(family: str, case: Case, told: list[Told], by_seed: float | None) -> str:
    good = [one for one in told if one.good]
    least = "unknown" if by_seed is None else f"{by_seed:.2f} %"
    return (
        f"| {family} | {case.part:.0%} | {case.ended} | {fmean(o.error for o in told):.2f} % "
        f"| {fmean(o.error for o in good):.2f} % | {median(o.error for o in good):.2f} % "
        f"| {fmean(o.inside for o in told):.0%} | {fmean(o.inside for o in good):.0%} "
        f"| {least} |"
    )


if __name__ == "__main__":
    main()
