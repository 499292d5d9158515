"""The command line: what a person types, and what they are told when it cannot be done."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sweeper import corpus
from sweeper.commands import mirroring
from sweeper.effective_spec import effective_spec
from sweeper.errors import StorageError
from sweeper.format import number
from sweeper.preview import as_json, preview, print_forecast
from sweeper.results import best_trial, objective
from sweeper.resuming import Changes
from sweeper.run_folder import RunFolder, find_run_folder, list_run_folders
from sweeper.running import Options, WandbMode, resume_sweep, run_file
from sweeper.screen import print_summary, settings, trial_table
from sweeper.status import ExitCode
from sweeper.sweep import SweepState, replay
from sweeper.wandb_runs import wandb_sync
from trainable.errors import UserError

app = typer.Typer(
    help="Which learning rate, warmup and model size should I train my language model with?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(highlight=False, soft_wrap=True)

Runs = Annotated[Path, typer.Option("--runs", help="Folder of the run folders.")]
Wandb = Annotated[WandbMode, typer.Option("--wandb", help="Log every trial to Weights & Biases.")]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Instead of the file's, as train.max_steps=1200."
    ),
]
Dashboard = Annotated[bool, typer.Option(help="Start the Ray dashboard.")]
Name = Annotated[str, typer.Argument(help="A sweep's name, or its run folder.")]


def main() -> None:
    """Run the command line; a mistake of the user's ends in one message and exit code 2."""
    # SIGTERM ends a command as Ctrl-C does, with exit code 130; what has begun is put away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except UserError as error:
        print(error, file=sys.stderr)
        not_theirs = isinstance(error, StorageError)
        sys.exit(ExitCode.FAILED if not_theirs else ExitCode.USER_ERROR)
    except KeyboardInterrupt:  # before the sweep has begun
        sys.exit(ExitCode.INTERRUPTED)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="A search space, as search_spaces/lr.yaml.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; refused if taken. [from the file]")
    ] = None,
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    runs: Runs = Path("runs"),
    wandb: Wandb = "off",
    dashboard: Dashboard = True,
) -> None:
    """Run a sweep: train every trial, stop the poor ones early, name the best."""
    options = Options(runs=runs, wandb=wandb, dashboard=dashboard)
    raise typer.Exit(run_file(file, console, options, name, overrides))


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="A search space, as search_spaces/lr.yaml.")],
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    probe: Annotated[bool, typer.Option(help="Measure this machine's speed first.")] = True,
) -> None:
    """Tell what a sweep would cost: trials, sizes, tokens, FLOPs, time. Starts nothing."""
    forecast = preview(file, overrides, probe=probe)
    if json:
        print(as_json(forecast))
    else:
        print_forecast(console, forecast)


@app.command(
    epilog="Examples: `resume lr` · `resume lr --num-trials 40` · `resume lr --retry-failed "
    "--set max_retries=5` · `resume lr --set resources.cpu=2 --set max_concurrent=4`. "
    "More in docs/resume.md."
)
def resume(
    name: Name,
    num_trials: Annotated[
        int | None,
        typer.Option(min=1, help="More trials of a random search: so many in all, as 40."),
    ] = None,
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Change from now on, as resources.cpu=2."),
    ] = [],  # noqa: B006  # typer copies it
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed trials again.")
    ] = False,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Go on though the search space, the training code or the data have changed.",
        ),
    ] = False,
    runs: Runs = Path("runs"),
    wandb: Wandb = "off",
    dashboard: Dashboard = True,
) -> None:
    """Go on with an interrupted sweep, each trial from its newest good checkpoint."""
    options = Options(runs=runs, wandb=wandb, dashboard=dashboard)
    changes = Changes(
        overrides=overrides,
        num_trials=num_trials,
        retry_failed=retry_failed,
        accept=accept_changes,
    )
    raise typer.Exit(resume_sweep(name, console, options, changes))


@app.command("list")
def list_(runs: Runs = Path("runs")) -> None:
    """All sweeps: their state, their trials, their best."""
    folders = list_run_folders(runs)
    if not folders:
        console.print(f"No sweeps in {runs}/ yet. Start one: make sweep")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("sweep", "state", "ended", "best", "objective"):
        table.add_column(heading)
    for folder in folders:
        try:
            state, total = _open(folder)
        except UserError as error:
            table.add_row(folder.name, "damaged", "", str(error).splitlines()[0], "")
            continue
        winner = best_trial(state)
        ended = sum(trial.status.ended for trial in state.trials.values())
        values = "" if winner is None else settings(winner)
        value = "" if winner is None else number(objective(state, winner))
        table.add_row(folder.name, _state(folder, state), f"{ended}/{total}", values, value)
    console.print(table)


@app.command()
def status(name: Name, runs: Runs = Path("runs")) -> None:
    """The trials of a sweep, running or not, best first."""
    folder = find_run_folder(runs, name)
    state, total = _open(folder)
    ended = sum(trial.status.ended for trial in state.trials.values())
    console.print(f"{folder.path}/: {_state(folder, state)}, {ended}/{total} trials ended")
    console.print(trial_table(console, state))


@app.command()
def best(name: Name, runs: Runs = Path("runs")) -> None:
    """The winner of a sweep, and the command that trains it further."""
    folder = find_run_folder(runs, name)
    state, _ = _open(folder)
    print_summary(console, state, folder)


@app.command()
def prepare(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILES OR FOLDERS…]",
            help="Text, source, .jsonl or .parquet files, folders of them, or - for standard "
            "input. Nothing: the sources of Python's standard library.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to make, as data/NAME.")] = ...,  # type: ignore[assignment]
    tokenizer: Annotated[
        str, typer.Option(help="bytes, bpe:VOCAB, or the path of a tokenizer.json.")
    ] = corpus.DEFAULT_TOKENIZER,
    val_fraction: Annotated[
        float, typer.Option("--val_fraction", "--val-fraction", help="Share held out.")
    ] = corpus.DEFAULT_VAL_FRACTION,
    text_field: Annotated[
        str, typer.Option("--text_field", "--text-field", help="Of .jsonl and .parquet.")
    ] = corpus.DEFAULT_TEXT_FIELD,
) -> None:
    """Turn text into the tokens that a sweep trains on."""
    corpus.prepare(
        inputs or [],
        out,
        tokenizer=tokenizer,
        val_fraction=val_fraction,
        text_field=text_field,
        console=console,
    )


app.command()(mirroring.tensorboard)
app.command()(mirroring.optuna)
app.command()(mirroring.grafana)


@app.command("wandb-sync")
def wandb_sync_(name: Name, runs: Runs = Path("runs")) -> None:
    """Upload a sweep to Weights & Biases: what it does not have yet, logged offline or not."""
    wandb_sync(find_run_folder(runs, name), console)


def _open(folder: RunFolder) -> tuple[SweepState, int]:
    """A sweep's state as its journal has it, and how many trials it has in all."""
    spec, _ = effective_spec(folder)
    state = replay(spec, folder)
    if not folder.is_locked:
        state.interrupt()
    return state, spec.num_trials()


def _state(folder: RunFolder, state: SweepState) -> str:
    if folder.is_locked:
        return "running"
    return state.outcome or "interrupted"
