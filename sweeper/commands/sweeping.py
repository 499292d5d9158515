"""Commands that make a sweep and train it: `run`, `plan`, `resume`, `prepare`, `check-trainer`."""

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sweeper.commands.arguments import Json, NameOrNewest, Quiet, Runs, Verbose, named_or_newest
from sweeper.corpus import preparation
from sweeper.engine.session.resuming import Changes
from sweeper.engine.warm_starting import taken_from_earlier
from sweeper.errors import TrainerError
from sweeper.plan.cost.preview import preview
from sweeper.plan.cost.probe import this_machine
from sweeper.plan.placement import Node, place, stated_share
from sweeper.plan.plan import make_plan
from sweeper.record.journal import begin_unbegun
from sweeper.record.run_folder import RUNS, RunFolder, reached
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.lasting_output import lasting_output
from sweeper.runtime.session.ending import SessionResult, written_report
from sweeper.runtime.session.preparation import Options
from sweeper.runtime.sharing.fairness import Claim
from sweeper.runtime.sharing.queueing import part_beside
from sweeper.runtime.trainers.checking import LEVELS, Finding, Findings, check_trainer
from sweeper.runtime.trainers.job import Job, visible_gpus
from sweeper.runtime.trainers.starting import PROGRAM_FOLDER, job_of
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.operating.tracking import WandbMode
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.trainer.config import ProgramConfig
from sweeper.status import ExitCode
from sweeper.views.console import make_console
from sweeper.views.terminal.forecast_tables import as_json, print_forecast
from sweeper.views.terminal.summary import print_end, print_summary

File = Annotated[Path, typer.Argument(help="A search space, as search_spaces/lr.yaml.")]
Wandb = Annotated[WandbMode, typer.Option("--wandb", help="Log every trial to Weights & Biases.")]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Instead of the file's, as train.max_steps=1200."
    ),
]
Dashboard = Annotated[bool, typer.Option(help="Start the Ray dashboard.")]


def run(
    file: File,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; refused if taken. [from the file]")
    ] = None,
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    or_resume: Annotated[
        bool,
        typer.Option(
            "--or-resume", help="Go on with the sweep --name where it has begun: for batch jobs."
        ),
    ] = False,
    runs: Runs = RUNS,
    wandb: Wandb = Options.wandb,
    dashboard: Dashboard = Options.dashboard,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    options = _options(runs, wandb, dashboard, verbose)
    console = make_console(quiet=quiet)
    with options.deadline, lasting_output():
        if or_resume and _has_begun(runs, name):
            said = f"{name} goes on as it was begun: FILE and --set are not read again."
            console.print(said, markup=False, soft_wrap=True)
            result = resume_sweep(str(name), console, options)
        else:
            result = run_file(file, console, options, name, overrides)
        code = conclude(console, result)
    raise typer.Exit(code)


def _has_begun(runs: Path, name: str | None) -> bool:
    if name is None:
        raise typer.BadParameter("say with --name which sweep it is", param_hint="--or-resume")
    folder = RunFolder(runs / name)
    with reached(runs):
        folder.store.pull()
        begin_unbegun(folder)
    return folder.journal.is_file()


def _options(runs: Path, wandb: WandbMode, dashboard: bool, verbose: bool) -> Options:
    return Options(runs=runs, wandb=wandb, dashboard=dashboard, verbose=verbose, owns_process=True)


def conclude(console: Console, result: SessionResult) -> ExitCode:
    """Write the report, say how the session has ended, and what that is for a script."""
    folder, state = result.folder, result.state
    if not result.had_work:
        console.print(f"{folder.place}/ has finished: there is nothing to go on with.")
        print_summary(console, state, folder)
    else:
        print_end(console, state, folder, written_report(console, result), result.outcome)
    if console.quiet:
        print(folder.path)
    return result.exit_code


def plan(
    file: File,
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    json: Json = False,
    probe: Annotated[bool, typer.Option(help="Measure this machine's speed first.")] = True,
    large: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="124M", help="Propose sizes that tell what such a one wants."
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(metavar="2.5B", help="With --for: that it is to be trained on. [20 each]"),
    ] = None,
    flops: Annotated[
        float | None,
        typer.Option(metavar="1e15", help="With --for: that the sweep may cost. [as FILE's]"),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="2h", help="With --for: that it may take here, in place of --flops."),
    ] = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="With --for: the proposal as a search-space file.")
    ] = False,
    runs: Runs = RUNS,
) -> None:
    if large is not None:
        from sweeper.commands.predicting import LargeModel, plan_for  # takes a moment

        if flops is not None and time is not None:
            raise typer.BadParameter("--flops or --time: one of the two is the budget")
        asked = LargeModel(large, tokens=tokens, flops=flops, time=time)
        plan_for(file, overrides, asked, json=json, yaml=yaml)
        return
    if tokens is not None or flops is not None or time is not None or yaml:
        text = "--tokens, --flops, --time and --yaml go with --for, as --for 124M"
        raise typer.BadParameter(text)
    is_joined = "RAY_ADDRESS" in os.environ
    look = cache(look_at_cluster)
    forecast = preview(
        file,
        overrides,
        nodes=(lambda: look()[0]) if is_joined else None,
        part=(lambda plan, at: part_beside(look()[1], look()[0], plan, at)) if is_joined else None,
        read_earlier=lambda plan, source: taken_from_earlier(plan, runs, source, TRAINER),
        probe=probe,
    )
    if json:
        print(as_json(forecast))
    else:
        print_forecast(make_console(), forecast)


def look_at_cluster() -> tuple[Sequence[Node], Sequence[Claim] | None]:
    """What is there, and what the sweeps on it want. None: that is not known."""
    from sweeper.runtime.ray_tune.cluster import ray_cluster  # takes seconds
    from sweeper.runtime.ray_tune.shared.broker import claims_now

    with ray_cluster() as cluster:
        return cluster.nodes, claims_now()


def resume(
    name: NameOrNewest = None,
    num_trials: Annotated[
        int | None,
        typer.Option(min=1, help="More trials of a random search: so many in all, as 40."),
    ] = None,
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Change from now on, as resources.cpu=2."),
    ] = [],  # noqa: B006  # typer copies it
    finals: Annotated[
        bool, typer.Option("--finals", help="Run the tied points with more seeds.")
    ] = False,
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
    runs: Runs = RUNS,
    wandb: Wandb = Options.wandb,
    dashboard: Dashboard = Options.dashboard,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    options = _options(runs, wandb, dashboard, verbose)
    console = make_console(quiet=quiet)
    changes = Changes(
        overrides=overrides,
        num_trials=num_trials,
        finals=finals,
        retry_failed=retry_failed,
        accept=accept_changes,
    )
    folder = named_or_newest(runs, name)
    with options.deadline, lasting_output():
        code = conclude(console, resume_sweep(str(folder.path), console, options, changes))
    raise typer.Exit(code)


def prepare(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILES OR FOLDERS…]",
            help="Text, source, .jsonl or .parquet files, folders of them, or - for standard "
            "input. Nothing: the sources of Python's standard library.",
        ),
    ] = None,
    out: Annotated[
        str, typer.Option(help="The folder to make, as data/NAME or s3://BUCKET/NAME.")
    ] = ...,  # type: ignore[assignment]
    tokenizer: Annotated[
        str, typer.Option(help="bytes, bpe:VOCAB, tiktoken:NAME, or the path of a tokenizer.json.")
    ] = preparation.DEFAULT_TOKENIZER,
    val_fraction: Annotated[
        float, typer.Option("--val_fraction", "--val-fraction", help="Share held out.")
    ] = preparation.DEFAULT_VAL_FRACTION,
    text_field: Annotated[
        str, typer.Option("--text_field", "--text-field", help="Of .jsonl and .parquet.")
    ] = preparation.DEFAULT_TEXT_FIELD,
    val: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=PATH",
            help="A further validation set, of all the text there; again for more.",
        ),
    ] = [],  # noqa: B006  # typer copies it
) -> None:
    preparation.prepare(
        inputs or [],
        out,
        tokenizer=tokenizer,
        val_fraction=val_fraction,
        text_field=text_field,
        val_sets=_val_sets(val),
        console=make_console(),
    )


def _val_sets(given: list[str]) -> dict[str, list[str]]:
    """The inputs of each set, by its name; a name that comes again has more of them."""
    sets: dict[str, list[str]] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not path:
            problem = f"must be a name and its text, as code=my_code/, got {text!r}"
            raise typer.BadParameter(problem, param_hint="--val")
        sets.setdefault(name, []).append(path)
    return sets


def check(file: File, overrides: Overrides = []) -> None:  # noqa: B006  # typer copies it
    spec, source = load_spec(file, overrides)
    if spec.trainer is None:
        raise TrainerError(f"{file}: has no trainer: the trials are those of trainable, level 2")
    resolved = make_plan(spec, None, source)
    trainer, config = resolved.spec.trainer, resolved.trials[0].config
    assert trainer is not None and isinstance(config, ProgramConfig)
    console = make_console()
    node, _ = this_machine()
    resources, values = resolved.spec.resources, resolved.trials[0].values
    if resources == "auto":
        share = place(resolved, [node], source).share(values)
    else:  # what is missing here may be where the sweep is to run
        share = stated_share(resources, values)
    gpus = (visible_gpus() or tuple(map(str, range(int(node.gpus)))))[: math.ceil(share.gpu)]

    def job_in(folder: Path) -> Job:
        job = job_of(trainer, config, spec.objective.metric, folder / PROGRAM_FOLDER, gpus)
        return replace(job, num_threads=min(share.num_threads, max(1, int(node.cpus))))

    def told(finding: Finding) -> None:
        mark = "ok" if finding.missing is None else "no"
        console.print(f"{mark}  {finding.what}: {finding.found}", markup=False, highlight=False)

    if len(gpus) < share.gpu:
        note = f"note: a trial asks for {share.gpu:g} GPUs; it is checked with the {len(gpus)} here"
        console.print(note, markup=False, highlight=False)
    with tempfile.TemporaryDirectory(prefix="sweeper-check-") as folder:
        findings = check_trainer(job_in, Path(folder), told)
    console.print(_verdict(findings), markup=False, highlight=False)
    raise typer.Exit(ExitCode.FAILED if findings.level is None else ExitCode.DONE)


def _verdict(findings: Findings) -> str:
    if findings.level is None:
        return f"No level is reached. Missing: {findings.missing}"
    reached = f"Level {findings.level}, {LEVELS[findings.level]}."
    if findings.missing is None:
        return reached
    return f"{reached} Missing for level {findings.level + 1}: {findings.missing}"
