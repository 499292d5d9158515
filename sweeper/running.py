"""A whole sweep, from its file to its results: check everything, then start, then record."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from sweeper.corpus.builtin import prepare_default
from sweeper.engine.audience import Audience
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import NO_CHANGES, Changes, prepare_resumption
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.engine.warm_starting import read_warm_start
from sweeper.errors import StorageError
from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.placement import place
from sweeper.plan.plan import Plan, check_configs, make_plan
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import (
    RUNS,
    RunFolder,
    create_run_folder,
    find_run_folder,
    require_free_name,
)
from sweeper.record.state.events import Outcome
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.tables import Tables
from sweeper.record.watcher import Watcher
from sweeper.runtime.ray_tune.token import token_command
from sweeper.runtime.signals import Deadline
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.status import ExitCode
from sweeper.views.terminal.screen import Screen
from sweeper.views.terminal.summary import print_summary
from sweeper.views.trackers.wandb_runs import WandbProcess, require_login
from trainable.data.token_files import check_data

TRAINER = "trainable.loop.training:Trainer"
WandbMode = Literal["off", "offline", "online"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs, as against what the sweep is."""

    runs: Path = RUNS
    wandb: WandbMode = "off"
    dashboard: bool = True
    verbose: bool = False
    quiet: bool = False  # but for the run folder, at the end
    watchers: tuple[Watcher, ...] = ()  # who else looks on
    trainer: str = TRAINER  # the class of the training loop


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """What a session has left behind it."""

    folder: RunFolder
    state: SweepState
    outcome: Outcome

    @property
    def exit_code(self) -> ExitCode:
        if self.outcome == "interrupted":
            return ExitCode.INTERRUPTED
        return ExitCode.FAILED if best_trial(self.state) is None else ExitCode.DONE


def run_file(
    file: Path,
    console: Console,
    options: Options,
    name: str | None = None,
    overrides: Sequence[str] = (),
) -> SessionResult:
    """Run the sweep that a search-space file describes.

    Raises:
        UserError: the file, the data or the machine does not fit. Nothing has been started then,
            and no run folder made.
    """
    spec, source = load_spec(file, overrides)
    if name is not None:
        require_free_name(options.runs, name)
    if options.wandb == "online":
        require_login("--wandb online")
    if spec.data is None:
        check_configs(spec, source)  # before anything is made
        console.print("No `data:` in the file: training on Python's own standard library.")
        data = prepare_default(console=console)
    else:
        data = Path(spec.data)
    plan = make_plan(spec, data.resolve(), source)
    _check_tokens(plan)
    warm_start = _read_warm_start(plan, source, options)

    session = SessionTerms(fingerprint=take_fingerprint(plan.spec, options.trainer))

    @contextmanager
    def new_folder() -> Iterator[RunFolder]:
        folder = create_run_folder(options.runs, plan.spec, name, str(file))
        with folder.locked():
            yield folder

    return _drive(plan, source, new_folder, session, console, options, warm_start)


def resume_sweep(
    name: str, console: Console, options: Options, changes: Changes = NO_CHANGES
) -> SessionResult:
    """Go on with an interrupted sweep, or with a finished one that has got more to do.

    Raises:
        UserError: as in `run_file`; there is no such sweep, or it is running; it may not change
            so, or has changed without a word.
    """
    folder = find_run_folder(options.runs, name)
    with folder.locked():  # before anything is read: what has been checked stays so
        resumption = prepare_resumption(folder, changes, options.trainer)
        plan, session = resumption.plan, resumption.session
        if session is None:
            console.print(f"{folder.path}/ has finished: there is nothing to go on with.")
            print_summary(console, resumption.state, folder)
            if options.quiet:
                print(folder.path)
            return SessionResult(folder=folder, state=resumption.state, outcome="finished")
        if options.wandb == "online":
            require_login("--wandb online")
        _check_tokens(plan)
        for line in resumption.notes:
            console.print(line, markup=False)
        # What the journal has is never read again: the other sweep may be gone.
        warm_start = resumption.state.warm_start or _read_warm_start(
            plan, resumption.source, options
        )
        opened = nullcontext(folder)
        return _drive(
            plan, resumption.source, lambda: opened, session, console, options, warm_start
        )


def _read_warm_start(plan: Plan, source: YamlSource, options: Options) -> WarmStart | None:
    if plan.spec.search.from_run is None:
        return None
    return read_warm_start(plan.spec, options.runs, source)


def _check_tokens(plan: Plan) -> None:
    """Each distinct demand on the data once: it may be large."""
    demands = {(t.config.vocab_size, t.config.context_length): t.config for t in plan.trials}
    for config in demands.values():
        check_data(config)


def _drive(
    plan: Plan,
    source: YamlSource,
    open_folder: Callable[[], AbstractContextManager[RunFolder]],
    session: SessionTerms,
    console: Console,
    options: Options,
    warm_start: WarmStart | None,
) -> SessionResult:
    with Deadline() as deadline:
        sweep, outcome = _train(
            plan, source, open_folder, session, console, options, warm_start, deadline
        )
        _tell_result(sweep, outcome, console, options)
    return SessionResult(folder=sweep.folder, state=sweep.state, outcome=outcome)


def _train(
    plan: Plan,
    source: YamlSource,
    open_folder: Callable[[], AbstractContextManager[RunFolder]],
    session: SessionTerms,
    console: Console,
    options: Options,
    warm_start: WarmStart | None,
    deadline: Deadline,
) -> tuple[Sweep, Outcome]:
    own_loop = options.trainer == TRAINER
    if own_loop:
        require_devices(plan, source)
    # Ray takes seconds to import: a mistake in the file is told before.
    from sweeper.runtime.ray_tune.cluster import ray_cluster
    from sweeper.runtime.ray_tune.metrics import RayMetrics
    from sweeper.runtime.ray_tune.runner import run_trials

    with ray_cluster(dashboard=options.dashboard) as cluster:
        placement = place(plan, cluster.nodes, source)
        if own_loop:
            require_gpus(plan, placement.resources, source)
        with open_folder() as folder:  # and hold its lock
            session = replace(session, placement=placement)
            sweep = Sweep.open(folder, plan, session, warm_start)
            _introduce(console, sweep, placement.slots, cluster.dashboard_url)
            own = RayMetrics(folder.name, len(plan.trials))
            audience = Audience(sweep, [*_watchers(sweep, console, options), own])
            outcome: Outcome = "failed"
            try:
                finished = run_trials(sweep, placement, audience, options.trainer, deadline)
                outcome = "finished" if finished else "interrupted"
            except Exception as error:  # Tune wraps what it meets; a full disk is told as such
                raise sweep.failure or error from error
            finally:
                _close(sweep, audience, outcome)
    return sweep, outcome


def _tell_result(sweep: Sweep, outcome: Outcome, console: Console, options: Options) -> None:
    folder = sweep.folder
    report = _write_report(folder)  # before anything is printed: the screen may be gone
    print_summary(console, sweep.state, folder)
    console.print(f"\nThe record of this sweep: {folder.path}/")
    console.print(report, markup=False)
    if options.quiet:
        print(folder.path)
    if outcome == "interrupted":
        console.print(f"Interrupted. Go on with:  python -m sweeper resume {folder.called}")


def _close(sweep: Sweep, audience: Audience, outcome: Outcome) -> None:
    try:
        audience.close(sweep.state)
    except StorageError:
        outcome = "failed"  # the tables are not whole: there is something to resume for
        raise
    finally:
        sweep.close(outcome)


def _write_report(folder: RunFolder) -> str:
    """Returns what is to be said of it. The sweep has been run: whatever is wrong with its report
    takes nothing from it."""
    try:
        from sweeper.views.report import write_report  # takes a second

        return f"The report: {write_report(folder).path}"
    except Exception as error:  # recorded, with its traceback
        with folder.log.open("a", encoding="utf-8") as log:
            log.write(traceback.format_exc())
        return (
            f"The report was not written: {error}\n"
            f"Try again with:  python -m sweeper report {folder.called}"
        )


def _watchers(sweep: Sweep, console: Console, options: Options) -> list[Watcher]:
    watchers: list[Watcher] = [
        MetricsFiles(sweep.folder),
        Tables(sweep.folder),
        Screen(console, sweep.plan, verbose=options.verbose),
    ]
    if options.wandb != "off":
        watchers.append(WandbProcess(sweep.folder, options.wandb))
    return [*watchers, *options.watchers]


def _introduce(console: Console, sweep: Sweep, slots: int, dashboard_url: str | None) -> None:
    trials = len(sweep.plan.trials)
    ended = sum(trial.status.ended for trial in sweep.trials.values())
    done = f", {ended} of them ended already" if ended else ""
    console.print(f"[bold]{sweep.folder.name}[/]: {sweep.plan.spec.description}".rstrip(": "))
    console.print(f"{trials} trials{done}, {slots} at a time; in {sweep.folder.path}/")
    if sweep.journal.torn:
        console.print(
            "The last line of its journal, cut short by a kill or a full disk, was dropped."
        )
    if sweep.plan.dropped:
        console.print(f"{sweep.plan.dropped} combinations were dropped by `constraints:`")
    if sweep.state.warm_start is not None:
        console.print(sweep.state.warm_start.summary())
    if dashboard_url:
        command = token_command()
        token = f" (it asks for a token: `{command}` prints it)" if command else ""
        console.print(f"Ray dashboard: {dashboard_url}{token}")
