"""Commands that show a sweep in tools that people already use."""

import json
import shlex
from importlib.util import find_spec
from typing import Annotated

import typer

from sweeper.commands.arguments import Name, Runs
from sweeper.record.follower import Mirror, mirror
from sweeper.record.run_folder import RUNS
from sweeper.record.runs.finding import find_run_folder
from sweeper.views.console import make_console
from sweeper.views.trackers.grafana import board

Follow = Annotated[
    bool, typer.Option("--follow", help="Go on until the sweep's driver ends, as it trains.")
]


def wandb(name: Name, runs: Runs = RUNS) -> None:
    from sweeper.views.trackers.wandb_runs import wandb_sync

    wandb_sync(find_run_folder(runs, name), make_console())


def tensorboard(name: Name, runs: Runs = RUNS, follow: Follow = False) -> None:
    from sweeper.views.trackers.tensorboard_mirror import TensorBoardMirror

    folder = find_run_folder(runs, name)
    command = f"tensorboard --logdir {shlex.quote(str(folder.path))}"
    _show(TensorBoardMirror(folder), follow, f"{folder.tensorboard}/", command)


def optuna(
    name: Name,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="As postgresql://… [optuna.db in the run folder]"),
    ] = None,
    runs: Runs = RUNS,
    follow: Follow = False,
) -> None:
    from sweeper.views.trackers.optuna_mirror import OptunaMirror, default_storage

    folder = find_run_folder(runs, name)
    url = storage or default_storage(folder)
    shown, command = f"study {folder.name} in {url}", f"optuna-dashboard {shlex.quote(url)}"
    _show(OptunaMirror(folder, url), follow, shown, command)


def serve(
    host: Annotated[str, typer.Option(help="Listen here; 0.0.0.0: on every network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8642,
    runs: Runs = RUNS,
) -> None:
    from sweeper.views.serve.server import serve as serve_sweeps  # takes a second

    serve_sweeps(runs, host, port, make_console())


def grafana() -> None:
    print(json.dumps(board(), indent=2))


def _show(shown: Mirror, follow: bool, where: str, command: str) -> None:
    """Bring it up to date and say how to look at it; then, if asked, follow the sweep."""
    console = make_console()
    mirror(shown, follow=False)
    console.print(where)
    program = command.split()[0]
    package = program.replace("-", "_")
    missing = "" if find_spec(package) else f"  (first: pip install {program})"
    console.print(f"Look at it:  {command}{missing}")
    if follow:
        mirror(shown, follow=True)
