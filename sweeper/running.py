"""A whole sweep, from its file to its end: first everything is checked, then it starts. The
commands print how it ended, and turn that into an exit code."""

import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console

from sweeper.corpus.builtin import prepare_default
from sweeper.engine.audience import Audience
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import NO_CHANGES, Changes, prepare_resumption
from sweeper.engine.session.spending import require_unspent
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.sweep import Sweep
from sweeper.engine.warm_starting import Here, read_warm_start
from sweeper.errors import SpecError, StorageError
from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.placement import Placement, place
from sweeper.plan.plan import Plan, check_configs, data_folder, make_plan
from sweeper.record.extras.texts import delete_texts, write_texts
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.ranking import best_trial
from sweeper.record.run_folder import (
    RUNS,
    RunFolder,
    create_run_folder,
    find_run_folder,
    require_free_name,
)
from sweeper.record.state.events import Fingerprint, Outcome
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.tables import Tables
from sweeper.record.watcher import Watcher
from sweeper.runtime.extras.notices import tell_others
from sweeper.runtime.extras.writing import texts_by, writers_of
from sweeper.runtime.losses import Losses
from sweeper.runtime.ray_tune.token import token_command
from sweeper.runtime.ray_version import ray_version_note
from sweeper.runtime.signals import REPORT_FIRST, Deadline, ending_at_once, ending_by_signals, tell
from sweeper.runtime.trainers.program_changes import ProgramChanges
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.reading.section_problems import processes_problems
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import ours
from sweeper.status import ExitCode
from sweeper.views.terminal.screen import Screen
from sweeper.views.terminal.summary import print_beginning
from sweeper.views.trackers.wandb_runs import WandbProcess, require_login
from trainable.data.token_files import check_data

TOO_EARLY = "Ended before the sweep began: nothing was changed."
WandbMode = Literal["off", "offline", "online"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs; what the sweep is, its spec says."""

    runs: Path = RUNS
    wandb: WandbMode = "off"
    dashboard: bool = True
    verbose: bool = False
    watchers: tuple[Watcher, ...] = ()  # who else looks on
    trainer: str = TRAINER  # the class of our own loop; tests have one without weights
    owns_process: bool = False  # a signal may end the process before the sweep has begun
    # Of the process, once it is to end early. A command holds it until all is told.
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A session that can start: everything that can be checked without Ray has been, and nothing is
    written yet."""

    plan: Plan
    source: YamlSource
    session: SessionTerms
    warm_start: WarmStart | None
    state: SweepState | None = None  # of a sweep that goes on


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The Ray cluster that a session has started or joined."""

    placement: Placement  # what of it the trials get
    dashboard: str | None  # where its dashboard is, in words


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """How a session has ended."""

    folder: RunFolder
    state: SweepState
    outcome: Outcome
    had_work: bool = True  # False: the sweep had finished before

    @property
    def exit_code(self) -> ExitCode:
        if self.outcome == "interrupted":
            return ExitCode.INTERRUPTED
        failed = self.outcome == "failed" or best_trial(self.state) is None
        return ExitCode.FAILED if failed else ExitCode.DONE


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
    _tell_ray_version(console)
    prepared = prepare_run(file, console, options, name, overrides)
    with options.deadline, started_workers(prepared, console, options) as workers:
        folder = create_run_folder(options.runs, prepared.plan.spec, name, str(file))
        with folder.locked():
            return carry_out(prepared, folder, workers, console, options)


def resume_sweep(
    name: str,
    console: Console,
    options: Options,
    changes: Changes = NO_CHANGES,
    require_wanted: Callable[[], None] = lambda: None,
) -> SessionResult:
    """Go on with an interrupted sweep, or with a finished one that has been given more to do.

    Args:
        require_wanted: Called just before it goes on, when all can see that it runs. It raises
            where that is not to be.

    Raises:
        UserError: as in `run_file`; there is no such sweep, or it is running; a change is not
            allowed, or something has changed that was not asked for.
    """
    _tell_ray_version(console)
    folder = find_run_folder(options.runs, name)
    with folder.locked():  # before anything is read, so that what has been checked stays true
        resumption = prepare_resumption(folder, changes, options.trainer)
        plan, source, session = resumption.plan, resumption.source, resumption.session
        if session is None:
            return SessionResult(
                folder=folder, state=resumption.state, outcome="finished", had_work=False
            )
        _require_login(options)
        _check_tokens(plan)
        for line in resumption.notes:
            console.print(line)
        # What the journal has is never read again: the other sweep may be gone.
        warm_start = resumption.state.warm_start or _read_warm_start(
            plan, source, options, session.fingerprint
        )
        prepared = Prepared(
            plan=plan,
            source=source,
            session=session,
            warm_start=warm_start,
            state=resumption.state,
        )
        there = replace(options, runs=folder.path.parent)
        with options.deadline, started_workers(prepared, console, there) as workers:
            require_wanted()
            return carry_out(prepared, folder, workers, console, options)


def _tell_ray_version(console: Console) -> None:
    if (note := ray_version_note()) is not None:
        console.print(note, markup=False, soft_wrap=True)


def prepare_run(
    file: Path, console: Console, options: Options, name: str | None, overrides: Sequence[str]
) -> Prepared:
    """Check everything that can be checked before Ray starts.

    Raises:
        UserError: as in `run_file`.
    """
    spec, source = load_spec(file, overrides)
    if name is not None:
        require_free_name(options.runs, name)
    _require_login(options)
    plan = make_plan(spec, _data(spec, source, console), source)
    _check_tokens(plan)
    require_unspent(SweepState(plan.spec))
    fingerprint = take_fingerprint(plan.spec, options.trainer)
    return Prepared(
        plan=plan,
        source=source,
        warm_start=_read_warm_start(plan, source, options, fingerprint),
        session=SessionTerms(fingerprint=fingerprint),
    )


def _data(spec: SweepSpec, source: YamlSource, console: Console) -> Path | None:
    """The folder that our trainer trains on; another one has its own."""
    if not spec.is_ours:
        return None
    if spec.data is None:
        check_configs(spec, source)  # before anything is made
        console.print("No `data:` in the file: training on Python's own standard library.")
        return prepare_default(console=console).resolve()
    return data_folder(spec.data, source, tell=partial(console.print, markup=False, soft_wrap=True))


@contextmanager
def started_workers(prepared: Prepared, console: Console, options: Options) -> Iterator[Workers]:
    """Start Ray on this machine, or join the cluster that RAY_ADDRESS names.

    Raises:
        UserError: the machine does not have what the trials ask for; a node of the cluster does not
            see the run folders.
    """
    plan, source = prepared.plan, prepared.source
    own_loop = options.trainer == TRAINER and plan.spec.is_ours
    if own_loop:
        require_devices(plan, source)
    elif plan.spec.resources != "auto" and (wrong := processes_problems(plan.spec.resources)):
        raise SpecError(source.problems(wrong))
    address = os.environ.get("RAY_ADDRESS")
    start = f"Joining the Ray cluster at {address}" if address else "Starting Ray on this machine"
    with ExitStack() as ray:
        with ending_at_once(TOO_EARLY) if options.owns_process else nullcontext():
            console.print(f"{start}…")
            # Ray takes seconds to import: a mistake in the file is told before.
            from sweeper.runtime.ray_tune.cluster import ray_cluster, require_shared

            cluster = ray.enter_context(ray_cluster(dashboard=options.dashboard))
            require_shared(options.runs)
        placement = place(plan, cluster.nodes, source)
        if own_loop:
            require_gpus(plan, placement.resources, source)
        yield Workers(placement=placement, dashboard=_dashboard_text(cluster.dashboard_url))


def carry_out(
    prepared: Prepared, folder: RunFolder, workers: Workers, console: Console, options: Options
) -> SessionResult:
    """Train what is left, and record it. The caller holds the folder's lock.

    Raises:
        StorageError: the record could not be kept; the sweep can be resumed.
    """
    from sweeper.runtime.extras.load import LoadMeter
    from sweeper.runtime.ray_tune.metrics import RayMetrics
    from sweeper.runtime.ray_tune.runner import run_trials

    session = replace(prepared.session, placement=workers.placement)
    sweep = Sweep.open(folder, prepared.plan, session, prepared.warm_start, prepared.state)
    delete_texts(folder)
    heading = partial(print_beginning, console, sweep, workers.placement.slots, workers.dashboard)
    heading()
    meters = RayMetrics(folder.name), LoadMeter(folder)
    audience = Audience(sweep, [*_watchers(sweep, console, heading, options), *meters])
    outcome: Outcome = "failed"
    try:
        outcome = run_trials(sweep, workers.placement, audience, options.trainer, options.deadline)
    except Exception as error:  # Tune wraps what it meets; a full disk is told as such
        raise sweep.failure or error from error
    finally:
        _close(sweep, audience, outcome)
    return SessionResult(folder=folder, state=sweep.state, outcome=outcome)


def written_report(console: Console, result: SessionResult) -> Path | str:
    """Have the best write some text, and write the report. Returns where it is, or why it could not
    be written: whatever goes wrong here, the sweep has ended well. The folder's log has the
    traceback. The first signal skips the text, the second ends the process. After an interrupted
    session there is no text, and the first ends it."""
    folder, skipped = result.folder, threading.Event()
    asked = result.outcome == "interrupted"
    with ending_by_signals(skipped.set, folder, REPORT_FIRST, "report", asked=asked):
        if result.outcome == "finished":
            _write_texts(console, folder, result.state, skipped)
        try:
            from sweeper.views.report import write_report  # takes a second

            path = write_report(folder, state=result.state).path
            folder.store.put(path)
            return path
        except Exception as error:
            _log_traceback(folder)
            return str(error)


def _write_texts(
    console: Console, folder: RunFolder, state: SweepState, skipped: threading.Event
) -> None:
    try:
        if not (writers := writers_of(state, folder)):
            return
        best = "best two" if len(writers) > 1 else "best"
        console.print(f"Writing some text with the {best}… (Ctrl-C skips it)")
        texts = texts_by(writers, folder, skipped)
        if skipped.is_set():
            console.print("Skipped.")
        elif texts is not None:
            write_texts(folder, texts)
            folder.store.put(folder.texts)
    except Exception:
        _log_traceback(folder)


def _log_traceback(folder: RunFolder) -> None:
    with suppress(OSError), folder.log.open("a", encoding="utf-8") as log:
        log.write(traceback.format_exc())


def _require_login(options: Options) -> None:
    if options.wandb == "online":
        require_login("--wandb online")


def _check_tokens(plan: Plan) -> None:
    """Check the data once for each distinct demand on it: the data may be large."""
    configs = [ours(trial.config) for trial in plan.trials] if plan.spec.is_ours else []
    demands = {(config.vocab_size, config.context_length): config for config in configs}
    for config in demands.values():
        check_data(config)


def _read_warm_start(
    plan: Plan, source: YamlSource, options: Options, fingerprint: Fingerprint
) -> WarmStart | None:
    if plan.spec.search.from_run is None:
        return None
    here = Here(plan=plan, fingerprint=fingerprint)
    return read_warm_start(plan.spec, options.runs, source, here)


def _watchers(
    sweep: Sweep, console: Console, heading: Callable[[], None], options: Options
) -> list[Watcher]:
    watchers: list[Watcher] = [
        Losses(sweep),
        ProgramChanges(sweep, tell),
        MetricsFiles(sweep.folder),
        Tables(sweep.folder),
        Screen(console, sweep.plan, heading=heading, verbose=options.verbose),
    ]
    if options.wandb != "off":
        watchers.append(WandbProcess(sweep.folder, options.wandb))
    return [*watchers, *options.watchers]


def _close(sweep: Sweep, audience: Audience, outcome: Outcome) -> None:
    try:
        audience.close(sweep.state)
    except StorageError:
        outcome = "failed"  # the tables are not whole: there is something to resume for
        raise
    finally:
        sweep.close(outcome)
        try:
            tell_others(sweep.state, sweep.folder, outcome, tell)
        except Exception:  # all is recorded by now
            _log_traceback(sweep.folder)


def _dashboard_text(url: str | None) -> str | None:
    if url is None:
        return None
    command = token_command()
    return f"{url} (it asks for a token: `{command}` prints it)" if command else url
