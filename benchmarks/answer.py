"""How well each strategy answers, and at what cost: replays of the recorded curves.

    python -m benchmarks.answer [TABLE…] [--orders 24] [--only NAME]

One seed's settings are swept, in so many random orders, on two slots. The setting that the sweep
names is judged by its mean over all seeds against the best one's. `sd` is the deviation of the
seeds among the eight best settings; `> 1 sd`: the share of the replays in which the named setting
is worse by more than that. `own`: their deviation without what a seed does to all of them alike,
as settings that were run with the same seeds are compared. Tokens are a share of the whole grid's.
`±` is the standard error of the regret for want of more orders; what takes long has fewer.

Last come the goals: what the model names and for how much, beside all others; how well ends are
forecast, how often the optimum's interval holds, and how often A/A sweeps claim a winner
(`benchmarks.forecast` and `benchmarks.optimum` print more of the last three).
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import forecast, optimum
from benchmarks.by_forecast import by_forecast
from benchmarks.goals import goals
from benchmarks.model import model
from benchmarks.plain_process import plain_process
from benchmarks.stock import sampling, stopping
from sweeper.analysis.backtest.backtesting import backtest
from sweeper.analysis.backtest.judging import Row, Truth
from sweeper.analysis.backtest.reading import read_table
from sweeper.analysis.backtest.recording import Recording
from sweeper.analysis.backtest.strategies import Strategy, baselines, random_part, top_k

HERE = Path(__file__).parent
BUDGETS = (0.1, 0.15, 0.25, 0.4)
# Each takes a recording and gives strategies: what is new goes here.
GROUPS = {
    "baselines": baselines,
    "random": lambda recording: [random_part(budget) for budget in BUDGETS],
    "top-k": lambda recording: [top_k(recording, budget) for budget in BUDGETS],
    "stock": stopping,
    "tpe": lambda recording: sampling("TPE")(recording, BUDGETS),
    "gp": lambda recording: sampling("GP")(recording, BUDGETS),
    "plain process": lambda recording: plain_process(recording, BUDGETS),
    "model": lambda recording: model(recording, BUDGETS),
    "forecast": by_forecast,
}
FEWER_ORDERS = {"gp": 4, "forecast": 4}  # of what takes long: one order in so many
FORECASTS, SWEEPS = 6, 200
LARGE = 60  # settings, beyond which that takes longer still: half as many again


class Task(NamedTuple):
    table: Path
    family: int  # its place in the table
    group: str
    orders: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", type=Path, help="[benchmarks/curves/*.parquet]")
    parser.add_argument("--orders", type=int, default=24)
    parser.add_argument("--only", choices=GROUPS, nargs="*", default=list(GROUPS))
    arguments = parser.parse_args()
    tables = arguments.tables or sorted((HERE / "curves").glob("*.parquet"))
    families = [(table, family) for table in tables for family in range(len(recordings(table)))]
    tasks = [
        Task(table, family, group, arguments.orders)
        for table, family in families
        for group in arguments.only
    ]
    longest_first = sorted(tasks, key=lambda task: -FEWER_ORDERS.get(task.group, 1))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = dict(zip(longest_first, pool.map(rows_of, longest_first), strict=True))
    found = {task: rows[task] for task in tasks}
    for table, family in families:
        of_family = [rows for task, rows in found.items() if task[:2] == (table, family)]
        show(recordings(table)[family], [row for rows in of_family for row in rows])
    by_family: dict[str, list[Row]] = {}
    for row in (row for rows in found.values() for row in rows):
        by_family.setdefault(row.recording, []).append(row)
    print("\n".join(goals(by_family)), flush=True)
    if arguments.only == list(GROUPS):
        show_other_goals(tables)


def show_other_goals(tables: list[Path]) -> None:
    cases = [forecast.Case(part, ended) for part in forecast.PARTS for ended in forecast.ENDED]
    print(f"\n## Goals: ends, forecast {FORECASTS} times\n\n{forecast.HEADER}", flush=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for told in pool.map(partial(forecast.of_table, cases=cases, draws=FORECASTS), tables):
            print("\n".join(told), flush=True)
        optimum.show_recorded(pool, SWEEPS)
        optimum.show_alike(pool, SWEEPS)


@cache
def recordings(table: Path) -> list[Recording]:
    return read_table(table)


def rows_of(task: Task) -> list[Row]:
    recording = recordings(task.table)[task.family]
    strategies: list[Strategy] = list(GROUPS[task.group](recording))
    fewer = FEWER_ORDERS.get(task.group, 1)
    if fewer > 1 and len(recording.settings) > LARGE:
        fewer *= 2
    orders = max(1, task.orders // fewer)
    return backtest(recording, strategies, orders=orders, slots=2)


def show(recording: Recording, rows: list[Row]) -> None:
    truth = Truth(recording)
    swept = " x ".join(
        f"{len({point[name] for point in recording.settings})} {name}"
        for name in recording.spec.space
    )
    print(f"\n## {recording.name}: {len(recording.settings)} settings, {swept}", end="; ")
    print(f"{len(recording.seeds)} seeds, sd {truth.deviation or 0:.4f}", end=", ")
    print(f"own {truth.own_deviation or 0:.4f}\n")
    for line in lines(rows):
        print(line)


def lines(rows: list[Row]) -> Iterator[str]:
    yield "| strategy | tokens | regret | in sd | ± | > 1 sd | > 1 own | winner stopped | replays |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        false, own = share(row.false_winners), share(row.own_false_winners)
        deviations, error = deviation(row.regret_deviations), deviation(row.regret_error)
        yield (
            f"| {row.title} | {row.tokens:.0%} | {row.regret_percent:.2f} % "
            f"| {deviations} | {error} | {false} | {own} "
            f"| {share(row.winner_stopped)} | {row.replays} |"
        )


def deviation(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"


if __name__ == "__main__":
    main()
