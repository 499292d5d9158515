"""`compare A B …`: sweeps side by side, as tables, as JSON, as a page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sweeper.analysis.comparison.comparison import Comparison, Contender
from sweeper.analysis.comparison.comparison import compare as compare_sweeps
from sweeper.analysis.reading.loading import load
from sweeper.analysis.remarks.comparisons import comparable_offers
from sweeper.analysis.remarks.remark import Offer
from sweeper.commands.arguments import (
    Json,
    Names,
    Runs,
    print_json,
)
from sweeper.errors import RunFolderError
from sweeper.record.effective_spec import effective_spec
from sweeper.record.run_folder import RUNS
from sweeper.record.runs.finding import find_run_folder
from sweeper.views.console import make_console
from sweeper.views.report.comparison_page import write_page
from sweeper.views.terminal.columns import Column, table
from sweeper.views.terminal.comparison_tables import (
    Table,
    difference_table,
    outcome_table,
    value_tables,
    verdict_text,
)


def compare(
    names: Names,
    runs: Runs = RUNS,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a page with plots; opens offline."),
    ] = None,
    json: Json = False,
) -> None:
    contenders = _contenders(names, runs)
    comparison = compare_sweeps(contenders)
    offers = comparable_offers(contenders, comparison)
    if html is not None:
        write_page(html, contenders, comparison, offers)
    if json:
        told = {"next_sweeps": [asdict(offer) for offer in offers]}
        print_json({**asdict(comparison), **told})
        return
    console = make_console()
    print_comparison(console, comparison, offers)
    if html is not None:
        console.print(f"\nWith plots: {html}")


def _contenders(names: Sequence[str], runs: Path) -> list[Contender]:
    folders = [find_run_folder(runs, name) for name in names]
    paths = [folder.path.resolve() for folder in folders]
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise RunFolderError(
            f"compare: name two different sweeps or more, got {', '.join(names)}; "
            f"python -m sweeper list names all"
        )
    same_name = len({folder.name for folder in folders}) < len(folders)
    return [
        Contender(
            name=str(folder.path) if same_name else folder.name,
            sweep=load(folder),
            spec=effective_spec(folder)[0],
        )
        for folder in folders
    ]


def print_comparison(
    console: Console, comparison: Comparison, offers: Sequence[Offer] = ()
) -> None:
    names = [outcome.name for outcome in comparison.outcomes]

    def show(first: str, rows: Table) -> None:
        columns = [Column(first, [label for label, _ in rows], right=False)]
        columns += [Column(name, [cells[i] for _, cells in rows]) for i, name in enumerate(names)]
        console.print(table(columns, console.width, ascii=console.options.ascii_only))

    show("sweep", outcome_table(comparison))
    if (verdict := verdict_text(comparison)) is not None:
        console.print(f"\n{verdict}", style="bold yellow" if comparison.unlike else "bold green")
    for caveat in (*comparison.unlike, *comparison.caveats):
        console.print(caveat, style="yellow")
    for offer in offers:
        console.print(f"{offer.purpose}:")
        console.print(f"  {offer.command}", style="bold", soft_wrap=True)
    for name, rows in value_tables(comparison).items():
        console.print()
        show(name, rows)
    if comparison.differences:
        console.print()
        show("different", difference_table(comparison))
