"""Commands that only look: `list`, `status`, `best`, `trial`."""

import sys
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from ruamel.yaml import YAML

from sweeper.analysis.monitor import Look, looks
from sweeper.commands.arguments import (
    Json,
    Name,
    Runs,
    TrialId,
    make_console,
    print_json,
)
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RUNS, RunFolder, find_run_folder, list_run_folders
from sweeper.record.state.sweep_state import Trial
from sweeper.record.tables import objective
from sweeper.status import ExitCode
from sweeper.views.format import number
from sweeper.views.json_output import (
    as_sections,
    best_facts,
    status_facts,
    sweep_facts,
    unreadable_facts,
    whole_trial_facts,
)
from sweeper.views.terminal.columns import Column, table
from sweeper.views.terminal.screen import print_summary, settings
from sweeper.views.terminal.trial_page import print_trial
from sweeper.views.terminal.watching import show, watch
from trainable.errors import UserError


def list_(runs: Runs = RUNS, json: Json = False) -> None:
    """All sweeps: their state, their trials, their best."""
    found = looks(list_run_folders(runs))
    if json:
        print_json(
            [
                unreadable_facts(folder, look) if isinstance(look, UserError) else sweep_facts(look)
                for folder, look in found
            ]
        )
        return
    console = make_console()
    if not found:
        console.print(f"No sweeps in {runs}/ yet. Start one: make sweep")
        return
    _print_list(console, found)


def _print_list(console: Console, found: list[tuple[RunFolder, Look | UserError]]) -> None:
    rows = [
        [folder.name, "unreadable", "", "", "", str(look).splitlines()[0]]
        if isinstance(look, UserError)
        else _list_row(look)
        for folder, look in found
    ]
    columns = zip(*rows, strict=True)
    headings = ("sweep", "state", "ended", "objective", "started", "best")
    drop = {"started": 0}
    made = [
        Column(heading, cells, right=heading == "objective", drop=drop.get(heading))
        for heading, cells in zip(headings, columns, strict=True)
    ]
    console.print(table(made, console.width, ascii=console.options.ascii_only))


def _list_row(look: Look) -> list[str]:
    best = look.best
    started = look.state.sessions[0]["time"] if look.state.sessions else None
    return [
        look.folder.name,
        look.state_name,
        f"{look.num_ended}/{look.num_trials}",
        "" if best is None else number(objective(look.state, best)),
        "" if started is None else f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}",
        "" if best is None else settings(best),
    ]


def status(
    name: Name,
    runs: Runs = RUNS,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay, until the sweep ends or Ctrl-C.")
    ] = False,
    json: Json = False,
) -> None:
    """The trials of a sweep, running or not, best first."""
    look = Look(find_run_folder(runs, name))
    if json:
        print_json(status_facts(look))
    elif watching:
        watch(make_console(), look)
    else:
        show(make_console(), look)


def best(
    name: Name,
    runs: Runs = RUNS,
    command: Annotated[
        bool, typer.Option("--command", help="Only the command that trains it further.")
    ] = False,
    json: Json = False,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Its settings, as `train:` of a search-space file.")
    ] = False,
) -> None:
    """The winner of a sweep, and the command that trains it further."""
    if command + json + yaml > 1:
        raise typer.BadParameter("choose one of --command, --json and --yaml")
    look = Look(find_run_folder(runs, name))
    if not (command or json or yaml):
        console = make_console()
        print_summary(console, look.state, look.folder)
        if look.state_name != "finished":
            ended = f"{look.num_ended}/{look.num_trials} trials have ended"
            console.print(f"\nThe sweep is {look.state_name}: {ended}.")
        if look.best is None:
            raise typer.Exit(ExitCode.FAILED)
        return
    winner = _winner(look)
    if command:
        print(_command(look, winner))
    elif json:
        print_json(best_facts(look, winner))
    else:
        print(f"# Trial {winner.trial_id} of {look.folder.path}")
        YAML().dump(as_sections(look.state, winner), sys.stdout)


def _winner(look: Look) -> Trial:
    winner = look.best
    if winner is None:
        where = f"python -m sweeper status {look.folder.called}"
        print(
            f"{look.folder.path}: no trial has completed, so there is no best; see: {where}",
            file=sys.stderr,
        )
        raise typer.Exit(ExitCode.FAILED)
    return winner


def _command(look: Look, winner: Trial) -> str:
    there: str | None = best_facts(look, winner)["command"]
    if there is None:
        raise RunFolderError(
            f"{look.folder.path}: the checkpoint of trial {winner.trial_id} is gone; its settings: "
            f"python -m sweeper best {look.folder.called} --yaml"
        )
    return there


def trial(name: Name, trial_id: TrialId, runs: Runs = RUNS, json: Json = False) -> None:
    """One trial: its curve, its settings, its error."""
    look = Look(find_run_folder(runs, name))
    one = look.trial(trial_id)
    if json:
        print_json(whole_trial_facts(look, one))
    else:
        print_trial(make_console(), look, one)
