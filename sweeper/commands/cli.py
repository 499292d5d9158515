"""The command line: every command with its help.

The function of a command, with the module that it is in, is imported when the command is typed. So
help comes at once, and a command waits only for what it uses itself.
"""

import platform
from importlib import import_module
from importlib.metadata import version as find_version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command


def examples(*commands: str) -> str:
    """The examples that stand below a command's help."""
    return "\n\n".join(["Examples:", *(f"$ python -m sweeper {command}" for command in commands)])


app = typer.Typer(
    help="Which learning rate, warmup and model size should I train my language model with?",
    no_args_is_help=True,
    epilog=examples("plan search_spaces/lr.yaml", "run search_spaces/lr.yaml", "best lr"),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if not asked:
        return
    packages = ", ".join(f"{name} {find_version(name)}" for name in ("torch", "ray"))
    print(f"sweeper {find_version('sweeper')} (Python {platform.python_version()}, {packages})")
    raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Of sweeper, and of what it runs on.",
        ),
    ] = False,
) -> None:
    """What may stand before a command."""


def command(
    name: str,
    function: str,
    help: str,
    epilog: str | None = None,
    panel: str | None = None,
    hidden: bool = False,
) -> None:
    """Add the command of this name. Its function is named with its module, as `looking.status`."""

    class Deferred(TyperCommand):
        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            module, _, attribute = function.rpartition(".")
            own = typer.Typer(add_completion=False)
            own.command(name, help=help, epilog=epilog)(
                getattr(import_module(f"sweeper.commands.{module}"), attribute)
            )
            return get_command(own).make_context(*args, **kwargs)

    def placeholder() -> None: ...

    app.command(name, cls=Deferred, help=help, epilog=epilog, rich_help_panel=panel, hidden=hidden)(
        placeholder
    )


command(
    "run",
    "sweeping.run",
    "Run a sweep: train every trial, stop the poor ones early, name the best.",
    examples(
        "run search_spaces/lr.yaml",
        "run search_spaces/lr.yaml --set train.max_steps=1200 --name longer",
        "run search_spaces/lr.yaml --quiet --wandb offline",
        "run search_spaces/lr.yaml --name lr --or-resume",
    ),
)
command(
    "plan",
    "sweeping.plan",
    "Tell what a sweep would cost: trials, sizes, tokens, FLOPs, time. Starts nothing.",
    examples(
        "plan search_spaces/lr.yaml",
        "plan search_spaces/lr.yaml --no-probe --json",
        "plan search_spaces/lr.yaml --for 10M --flops 2e14",
    ),
)
command(
    "check-trainer",
    "sweeping.check",
    "Run a training program of your own briefly: what it can do in a sweep, and what it lacks.",
    examples("check-trainer search_spaces/your_trainer.yaml") + "\n\nMore in docs/your-trainer.md.",
)
command(
    "resume",
    "sweeping.resume",
    "Go on with an interrupted sweep, each trial from its newest good checkpoint.",
    examples(
        "resume lr",
        "resume lr --num-trials 40",
        "resume lr --finals",
        "resume lr --retry-failed --set max_retries=5",
        "resume lr --set resources.cpu=2 --set max_concurrent=4",
    )
    + "\n\nMore in docs/resume.md.",
)
command(
    "prepare",
    "sweeping.prepare",
    "Turn text into the tokens that a sweep trains on.",
    examples(
        "prepare my_texts/ notes.md --out data/mine --tokenizer bpe:8192",
        "prepare stories.jsonl --text-field story --out data/stories",
    ),
)

LOOK = "Look at a sweep"
command(
    "list",
    "looking.list_",
    "All sweeps: their state, their trials, their best.",
    examples("list", "list --json"),
    LOOK,
)
command(
    "status",
    "looking.status",
    "The trials of a sweep, running or not, best first.",
    examples("status lr", "status lr --watch", "status lr --json"),
    LOOK,
)
command(
    "best",
    "looking.best",
    "The winner of a sweep, and the command that trains it further.",
    examples("best lr", "best lr --command", "best lr --yaml > best.yaml"),
    LOOK,
)
command(
    "trial",
    "looking.trial",
    "One trial: its curve, its settings, its error.",
    examples("trial lr 0003"),
    LOOK,
)
command(
    "compare",
    "comparing.compare",
    "Sweeps side by side: what came of each, and what was different.",
    examples("compare lr lr-2", "compare lr lr-2 --html compare.html"),
    LOOK,
)
command(
    "backtest",
    "backtesting.backtest",
    "Other strategies on a sweep's own curves: what each would spend, and how often be wrong.",
    examples(
        "backtest lr-whole",
        "backtest lr-whole --scheduler search_spaces/warmup.yaml --slots 1 --slots 8",
        "backtest lr-whole --scheduler '{type: asha, grace_steps: 150, mode: promote}'",
    )
    + "\n\nIts trials must have run to their ends: --set 'scheduler={type: fifo}'.",
    LOOK,
)
command(
    "predict",
    "predicting.predict",
    "The learning rate and the loss of a larger model, from a sweep over small ones.",
    examples("predict transfer --scale 10x", "predict transfer --params 124M --tokens 2.5B")
    + "\n\nMore in docs/transfer.md.",
    LOOK,
)

ACT = "Act on a sweep"
command(
    "report",
    "acting.report",
    "The answer as one HTML page, and its plots as pictures; of a sweep in any state.",
    examples("report lr", "report lr --out answer/"),
    ACT,
)
command(
    "stop",
    "acting.stop",
    """Stop a sweep that runs, here or on another machine, or one trial of it.

    What runs is checkpointed first, so that `resume` goes on. A trial that is stopped stays so.""",
    examples("stop lr", "stop lr 0003"),
    ACT,
)
command(
    "export",
    "acting.export",
    "The best model, or a trial's, as a Hugging Face folder.",
    examples("export lr out/", "export lr 0003 out/"),
    ACT,
)
command(
    "delete",
    "acting.delete",
    """Free the disk of a sweep's checkpoints; its record stays. Says first what that would free.

    The winner's newest checkpoint is kept, and whatever a resume would go on from.""",
    examples("delete lr --checkpoints", "delete lr --checkpoints --with-best --yes"),
    ACT,
)

command(
    "serve",
    "mirroring.serve",
    "All sweeps in a browser: their reports, kept fresh, with buttons for the commands.",
    examples("serve", "serve --runs /data/runs --port 8080") + "\n\nMore in docs/watching.md.",
    LOOK,
)

CLUSTER = "On a cluster"
command(
    "submit",
    "cluster.submitting.submit",
    """Have a cluster run a sweep, or go on with one, as a Ray Job: nobody need stay.

    All is checked here first. Keys of buckets are those of the cluster's machines.""",
    examples(
        "submit search_spaces/lr.yaml --address http://HEAD:8265 --runs s3://BUCKET/sweeps",
        "submit lr --runs s3://BUCKET/sweeps",
    )
    + "\n\nMore in docs/cluster.md.",
    CLUSTER,
)
command(
    "wait",
    "cluster.following.wait",
    "Wait until a sweep has ended; the exit code is that of `run`.",
    examples("wait lr --runs s3://BUCKET/sweeps"),
    CLUSTER,
)
command(
    "logs",
    "cluster.following.logs",
    "What the driver of a submitted sweep has printed, or the program of a trial.",
    examples("logs lr --runs s3://BUCKET/sweeps", "logs lr 0003"),
    CLUSTER,
)
command(
    "keep",
    "cluster.submitting.keep",
    "Submit again each submitted sweep whose driver is lost, until it has ended.",
    examples("keep --address http://HEAD:8265 --runs s3://BUCKET/sweeps"),
    CLUSTER,
)
command("work", "cluster.working.work", "What the job of a submitted sweep runs.", hidden=True)

SHOW = "Show it in other tools"
command(
    "wandb-sync",
    "mirroring.wandb",
    "Upload a sweep to Weights & Biases: what it does not have yet, logged offline or not.",
    panel=SHOW,
)
command(
    "tensorboard",
    "mirroring.tensorboard",
    "Write TensorBoard's files: curves, and the HParams view. Again: what is new.",
    examples("tensorboard lr", "tensorboard lr --follow"),
    SHOW,
)
command(
    "optuna",
    "mirroring.optuna",
    "Keep the sweep as a study in an Optuna storage, which optuna-dashboard opens.",
    examples("optuna lr", "optuna lr --follow"),
    SHOW,
)
command(
    "grafana",
    "mirroring.grafana",
    "Print the board for Grafana, as JSON to import there.",
    examples("grafana > board.json"),
    SHOW,
)
