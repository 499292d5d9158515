"""The command line: what a person types, and what they are told when it cannot be done."""

import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from sweeper import corpus
from sweeper.commands import acting, comparing, looking, mirroring
from sweeper.commands.arguments import Name, Quiet, Runs, Verbose, examples, make_console
from sweeper.engine.session.resuming import Changes
from sweeper.errors import StorageError
from sweeper.plan.preview import as_json, preview, print_forecast
from sweeper.record.run_folder import find_run_folder
from sweeper.running import Options, WandbMode, resume_sweep, run_file
from sweeper.status import ExitCode
from sweeper.views.trackers.wandb_runs import wandb_sync
from trainable.errors import UserError

app = typer.Typer(
    help="Which learning rate, warmup and model size should I train my language model with?",
    no_args_is_help=True,
    epilog=examples("plan search_spaces/lr.yaml", "run search_spaces/lr.yaml", "best lr"),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = make_console()

Wandb = Annotated[WandbMode, typer.Option("--wandb", help="Log every trial to Weights & Biases.")]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Instead of the file's, as train.max_steps=1200."
    ),
]
Dashboard = Annotated[bool, typer.Option(help="Start the Ray dashboard.")]


def main() -> None:
    """Run the command line; a mistake of the user's ends in one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name in letters that the terminal lacks
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


@app.command(
    epilog=examples(
        "run search_spaces/lr.yaml",
        "run search_spaces/lr.yaml --set train.max_steps=1200 --name longer",
        "run search_spaces/lr.yaml --quiet --wandb offline",
    )
)
def run(
    file: Annotated[Path, typer.Argument(help="A search space, as search_spaces/lr.yaml.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; refused if taken. [from the file]")
    ] = None,
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    runs: Runs = Path("runs"),
    wandb: Wandb = "off",
    dashboard: Dashboard = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a sweep: train every trial, stop the poor ones early, name the best."""
    console.quiet = quiet
    options = Options(runs=runs, wandb=wandb, dashboard=dashboard, verbose=verbose, quiet=quiet)
    raise typer.Exit(run_file(file, console, options, name, overrides))


@app.command(
    epilog=examples("plan search_spaces/lr.yaml", "plan search_spaces/lr.yaml --no-probe --json")
)
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
    epilog=examples(
        "resume lr",
        "resume lr --num-trials 40",
        "resume lr --retry-failed --set max_retries=5",
        "resume lr --set resources.cpu=2 --set max_concurrent=4",
    )
    + "\n\nMore in docs/resume.md."
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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go on with an interrupted sweep, each trial from its newest good checkpoint."""
    console.quiet = quiet
    options = Options(runs=runs, wandb=wandb, dashboard=dashboard, verbose=verbose, quiet=quiet)
    changes = Changes(
        overrides=overrides,
        num_trials=num_trials,
        retry_failed=retry_failed,
        accept=accept_changes,
    )
    raise typer.Exit(resume_sweep(name, console, options, changes))


@app.command(
    epilog=examples(
        "prepare my_texts/ notes.md --out data/mine --tokenizer bpe:8192",
        "prepare stories.jsonl --text-field story --out data/stories",
    )
)
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


@app.command("wandb-sync", rich_help_panel="Show it in other tools")
def wandb_sync_(name: Name, runs: Runs = Path("runs")) -> None:
    """Upload a sweep to Weights & Biases: what it does not have yet, logged offline or not."""
    wandb_sync(find_run_folder(runs, name), console)


LOOK, ACT, SHOW = "Look at a sweep", "Act on a sweep", "Show it in other tools"
app.command("list", rich_help_panel=LOOK, epilog=examples("list", "list --json"))(looking.list_)
app.command(
    rich_help_panel=LOOK,
    epilog=examples("status lr", "status lr --watch", "status lr --json"),
)(looking.status)
app.command(
    rich_help_panel=LOOK,
    epilog=examples("best lr", "best lr --command", "best lr --yaml > train.yaml"),
)(looking.best)
app.command(rich_help_panel=LOOK, epilog=examples("trial lr 0003"))(looking.trial)
app.command(
    rich_help_panel=LOOK,
    epilog=examples("compare lr lr-2", "compare lr lr-2 --html compare.html"),
)(comparing.compare)
app.command(rich_help_panel=ACT, epilog=examples("report lr", "report lr --out answer/"))(
    acting.report
)
app.command(rich_help_panel=ACT, epilog=examples("export lr out/", "export lr 0003 out/"))(
    acting.export
)
app.command(
    rich_help_panel=ACT,
    epilog=examples("delete lr --checkpoints", "delete lr --checkpoints --with-best --yes"),
)(acting.delete)
app.command(rich_help_panel=SHOW, epilog=examples("tensorboard lr", "tensorboard lr --follow"))(
    mirroring.tensorboard
)
app.command(rich_help_panel=SHOW, epilog=examples("optuna lr", "optuna lr --follow"))(
    mirroring.optuna
)
app.command(rich_help_panel=SHOW, epilog=examples("grafana > board.json"))(mirroring.grafana)
