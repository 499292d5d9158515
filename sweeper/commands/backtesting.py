"""`backtest RUN…`: what other strategies would have found out on the same curves, and spent."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sweeper.analysis.backtest.backtesting import Backtest, backtest_all
from sweeper.analysis.backtest.judging import NUM_BEST, Row
from sweeper.analysis.backtest.reading import read_run, read_table
from sweeper.analysis.backtest.recording import Recording
from sweeper.commands.arguments import Json, Runs, print_json, sweep_names
from sweeper.record.run_folder import RUNS
from sweeper.record.runs.finding import find_run_folder
from sweeper.spec.points import point_text
from sweeper.views.console import make_console
from sweeper.views.format import duration, number, title_of
from sweeper.views.terminal.columns import Column, table

UNKNOWN = (
    "Each setting was run with one seed, so the deviation of the seeds is not known: regret is "
    "against the same curves, and may be noise."
)

Recorded = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN…",
        help="Finished sweeps in which no trial was stopped, or tables of curves (.parquet).",
        autocompletion=sweep_names,
    ),
]


def backtest(
    recorded: Recorded,
    schedulers: Annotated[
        list[str],
        typer.Option(
            "--scheduler",
            metavar="FILE|YAML",
            help="Another to replay, again and again: a search-space file, of which scheduler: and "
            "search: count, or a line as {type: asha, grace_steps: 75}.",
        ),
    ] = [],  # noqa: B006  # typer copies it
    slots: Annotated[
        list[int], typer.Option(min=1, help="Trials at a time; again for other numbers.")
    ] = [2],  # noqa: B006
    orders: Annotated[int, typer.Option(min=1, help="Orders of the trials to replay.")] = 200,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw regret against tokens.")
    ] = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    found = backtest_all(_recordings(recorded, runs), schedulers, orders=orders, slots=slots)
    if plot is not None:
        from sweeper.views.report.pictures import write_backtest  # takes a second

        write_backtest(plot, found)
    if json:
        print_json([_json(one) for one in found])
        return
    console = make_console()
    for one in found:
        print_backtest(console, one)
    if plot is not None:
        console.print(f"Drawn: {plot}")


def _recordings(names: Sequence[str], runs: Path) -> list[Recording]:
    return [
        recording
        for name in names
        for recording in (
            read_table(Path(name))
            if Path(name).suffix == ".parquet"
            else [read_run(find_run_folder(runs, name))]
        )
    ]


def _json(one: Backtest) -> dict[str, object]:
    recording, truth = one.truth.recording, one.truth
    return {
        "name": recording.name,
        "metric": recording.spec.objective.metric,
        "settings": len(recording.settings),
        "seeds": len(recording.seeds),
        "deviation": truth.deviation,
        "own_deviation": truth.own_deviation,
        "best": {"values": recording.settings[truth.best], "objective": truth.value},
        "notes": list(recording.notes),
        "strategies": [asdict(row) for row in one.rows],
    }


def print_backtest(console: Console, found: Backtest) -> None:
    recording, truth = found.truth.recording, found.truth
    best, metric = recording.settings[truth.best], title_of(recording.spec.objective.metric)
    replays = found.rows[0].replays
    console.print(f"{recording.name}: {len(recording.settings)} settings, {replays} orders")
    console.print(f"best {metric} {number(truth.value)}: {point_text(best)}")
    if truth.deviation is not None:
        among = min(NUM_BEST, len(recording.settings))
        seeds = f"of {len(recording.seeds)} seeds among the {among} best"
        console.print(f"sd {number(truth.deviation)}, {seeds}")
        own = number(truth.own_deviation)
        console.print(f"   {own} without what a seed does to all of them alike")
    made = [_column(found, heading, *of) for heading, of in COLUMNS.items() if of[0](found)]
    console.print()
    console.print(table(made, console.width, ascii=console.options.ascii_only))
    console.print()
    for note in (*recording.notes, *([UNKNOWN] if truth.deviation is None else [])):
        console.print(note, style="yellow")


def _column(
    found: Backtest, heading: str, _: object, cell: Callable[[Row], str], drop: int | None
) -> Column:
    return Column(heading, [cell(row) for row in found.rows], heading != "strategy", drop)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _always(_: Backtest) -> bool:
    return True


def _knows_noise(found: Backtest) -> bool:
    return found.truth.deviation is not None


# heading -> where it is shown, what is in it, and which goes first where there is no room
COLUMNS: dict[str, tuple[Callable[[Backtest], bool], Callable[[Row], str], int | None]] = {
    "strategy": (_always, lambda row: row.title, None),
    "slots": (lambda found: len({r.slots for r in found.rows}) > 1, lambda r: str(r.slots), None),
    "tokens": (_always, lambda row: _share(row.tokens), None),
    "time": (_always, lambda row: _share(row.time), 2),
    "takes": (lambda found: found.truth.recording.timed, lambda r: duration(r.seconds), 0),
    "regret": (_always, lambda row: f"{row.regret_percent:.2f} %", None),
    "in sd": (_knows_noise, lambda row: number(row.regret_deviations, 2), 5),
    "> 1 sd": (_knows_noise, lambda row: _share(row.false_winners), None),
    "winner stopped": (_always, lambda row: _share(row.winner_stopped), 3),
    "all good lost": (_knows_noise, lambda row: _share(row.good_lost), 1),
}
