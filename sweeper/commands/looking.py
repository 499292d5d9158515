"""Commands that only look: `list`, `status`, `best`, `trial`."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from ruamel.yaml import YAML

from sweeper.analysis.monitor import Monitor, monitors
from sweeper.commands.arguments import (
    Json,
    Name,
    NameOrNewest,
    Runs,
    TrialId,
    named_or_newest,
    print_json,
)
from sweeper.errors import RunFolderError
from sweeper.record.ranking import ranking_of
from sweeper.record.run_folder import RUNS, RunFolder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text
from sweeper.status import ExitCode
from sweeper.views.console import make_console
from sweeper.views.format import number
from sweeper.views.json_output import (
    as_search_space,
    best_json,
    further_command,
    status_json,
    sweep_json,
    unreadable_json,
    whole_trial_json,
)
from sweeper.views.next_steps import settings_command
from sweeper.views.terminal.columns import Column, table
from sweeper.views.terminal.summary import print_summary
from sweeper.views.terminal.trial_page import print_trial
from sweeper.views.terminal.watching import show, watch
from sweeper.views.verdict import why_none
from trainable.errors import UserError


def list_(runs: Runs = RUNS, json: Json = False) -> None:
    found = monitors(runs)
    if json:
        print_json(
            [
                unreadable_json(folder, monitor)
                if isinstance(monitor, UserError)
                else sweep_json(monitor)
                for folder, monitor in found
            ]
        )
        return
    console = make_console()
    if not found:
        console.print(f"No sweeps in {runs}/ yet. Start one: make sweep")
        return
    _print_list(console, found)


def _print_list(console: Console, found: list[tuple[RunFolder, Monitor | UserError]]) -> None:
    rows = [
        [folder.name, "unreadable", "", "", "", str(monitor).splitlines()[0]]
        if isinstance(monitor, UserError)
        else _list_row(monitor)
        for folder, monitor in found
    ]
    columns = zip(*rows, strict=True)
    headings = ("sweep", "state", "ended", "objective", "started", "best")
    drop = {"started": 0}
    made = [
        Column(heading, cells, right=heading == "objective", drop=drop.get(heading))
        for heading, cells in zip(headings, columns, strict=True)
    ]
    console.print(table(made, console.width, ascii=console.options.ascii_only))


def _list_row(monitor: Monitor) -> list[str]:
    ranking = ranking_of(monitor.state)
    best = ranking.best
    started = monitor.state.sessions[0].started if monitor.state.sessions else None
    return [
        monitor.folder.name,
        monitor.state_name,
        f"{monitor.num_ended}/{monitor.num_trials}",
        "" if best is None else number(ranking.value_of(best)),
        "" if started is None else f"{started.astimezone():%Y-%m-%d %H:%M}",
        "" if best is None else f"{point_text(best.point)}{_standing(monitor)}",
    ]


def _standing(monitor: Monitor) -> str:
    """What is to be known of the best in a few words, from the journal alone."""
    finals = monitor.state.finals
    if monitor.state_name != "finished":
        return " so far"
    if finals is None or finals.ended is None:
        return ""
    return ", tied after its finals" if finals.ended.winner is None else ", beats the finalists"


def status(
    name: NameOrNewest = None,
    runs: Runs = RUNS,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay, until the sweep ends or Ctrl-C.")
    ] = False,
    json: Json = False,
) -> None:
    monitor = Monitor(named_or_newest(runs, name))
    if json:
        print_json(status_json(monitor))
    elif watching:
        watch(make_console(), monitor)
    else:
        show(make_console(), monitor)


def best(
    name: NameOrNewest = None,
    runs: Runs = RUNS,
    command: Annotated[
        bool, typer.Option("--command", help="Only the command that trains it further.")
    ] = False,
    json: Json = False,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Its settings, as a search-space file that `run` takes.")
    ] = False,
) -> None:
    if command + json + yaml > 1:
        raise typer.BadParameter("choose one of --command, --json and --yaml")
    monitor = Monitor(named_or_newest(runs, name))
    if not (command or json or yaml):
        console = make_console()
        print_summary(console, monitor.state, monitor.folder)
        if monitor.state_name != "finished":
            ended = f"{monitor.num_ended}/{monitor.num_trials} trials have ended"
            console.print(f"\nThe sweep is {monitor.state_name}: {ended}.")
        if monitor.best is None:
            raise typer.Exit(ExitCode.FAILED)
        return
    winner = _winner(monitor)
    if command:
        print(_command(monitor, winner))
    elif json:
        print_json(best_json(monitor, winner))
    else:
        print(f"# Trial {winner.trial_id} of {monitor.folder.path}")
        YAML().dump(as_search_space(monitor.state, winner), sys.stdout)


def _winner(monitor: Monitor) -> Trial:
    winner = monitor.best
    if winner is None:
        where = f"python -m sweeper status {monitor.folder.called}"
        print(
            f"{monitor.folder.path}: {why_none(ranking_of(monitor.state))}, so there is no best; "
            f"see: {where}",
            file=sys.stderr,
        )
        raise typer.Exit(ExitCode.FAILED)
    return winner


def _command(monitor: Monitor, winner: Trial) -> str:
    there = further_command(monitor, winner)
    if not monitor.state.spec.is_ours:
        raise RunFolderError(
            f"{monitor.folder.path}: how its trainer is started for longer, only you know; its "
            f"settings: {settings_command(monitor.folder)}"
        )
    if there is None:
        where = f"is there: {winner.taken_from}" if winner.taken_from else "is gone"
        raise RunFolderError(
            f"{monitor.folder.path}: the checkpoint of trial {winner.trial_id} {where}; its "
            f"settings: python -m sweeper best {monitor.folder.called} --yaml"
        )
    return there


def trial(name: Name, trial_id: TrialId, runs: Runs = RUNS, json: Json = False) -> None:
    monitor = Monitor(find_run_folder(runs, name))
    one = monitor.trial(trial_id)
    if json:
        print_json(whole_trial_json(monitor, one))
    else:
        print_trial(make_console(), monitor, one)
