"""A whole sweep, from its file to its end: first everything is checked, then it starts. The
commands print how it ended, and turn that into an exit code."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from sweeper.engine.audience import Audience
from sweeper.engine.session.resuming import NO_CHANGES, Changes, prepare_resumption
from sweeper.engine.sweep import Sweep
from sweeper.errors import SpecError, StorageError
from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.placement import Placement, place
from sweeper.record.exhibits.texts import delete_texts
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.state.events import Outcome
from sweeper.record.tables import Tables
from sweeper.record.watcher import Watcher
from sweeper.runtime.losses import Losses
from sweeper.runtime.ray_tune.token import token_command
from sweeper.runtime.ray_version import ray_version_note
from sweeper.runtime.session.ending import SessionResult, log_traceback
from sweeper.runtime.session.notices import tell_others
from sweeper.runtime.session.preparation import Options, Prepared, prepare_resume, prepare_run
from sweeper.runtime.signals import ending_at_once, tell
from sweeper.runtime.trainers.program_changes import ProgramChanges
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.reading.section_problems import processes_problems
from sweeper.views.terminal.screen import Screen
from sweeper.views.terminal.summary import print_beginning
from sweeper.views.trackers.wandb_runs import WandbProcess
from trainable.errors import UserError

TOO_EARLY = "Ended before the sweep began: nothing was changed."


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The Ray cluster that a session has started or joined."""

    placement: Placement  # what of it the trials get
    dashboard: str | None  # where its dashboard is, in words


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
    ended: Callable[[SessionResult | UserError], None] = lambda _: None,
) -> SessionResult:
    """Go on with an interrupted sweep, or with a finished one that has been given more to do.

    Args:
        require_wanted: Called just before it goes on, when all can see that it runs. It raises
            where that is not to be.
        ended: Is told how it has ended, while nobody else can go on with it.

    Raises:
        UserError: as in `run_file`; there is no such sweep, or it is running; a change is not
            allowed, or something has changed that was not asked for.
    """
    _tell_ray_version(console)
    folder = find_run_folder(options.runs, name)
    with folder.locked():  # before anything is read, so that what has been checked stays true
        try:
            result = _gone_on_with(folder, console, options, changes, require_wanted)
        except UserError as error:
            ended(error)
            raise
        ended(result)
        return result


def _gone_on_with(
    folder: RunFolder,
    console: Console,
    options: Options,
    changes: Changes,
    require_wanted: Callable[[], None],
) -> SessionResult:
    resumption = prepare_resumption(folder, changes, options.trainer)
    if (session := resumption.session) is None:
        return SessionResult(
            folder=folder, state=resumption.state, outcome="finished", had_work=False
        )
    prepared = prepare_resume(resumption, session, console, options)
    there = replace(options, runs=folder.path.parent)
    with options.deadline, started_workers(prepared, console, there) as workers:
        require_wanted()
        return carry_out(prepared, folder, workers, console, options)


def _tell_ray_version(console: Console) -> None:
    if (note := ray_version_note()) is not None:
        console.print(note, markup=False, soft_wrap=True)


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
        yield Workers(
            placement=placement, dashboard=_dashboard_text(cluster.dashboard_url, options)
        )


def carry_out(
    prepared: Prepared, folder: RunFolder, workers: Workers, console: Console, options: Options
) -> SessionResult:
    """Train what is left, and record it. The caller holds the folder's lock.

    Raises:
        StorageError: the record could not be kept; the sweep can be resumed.
    """
    from sweeper.runtime.exhibits.load import LoadMeter
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
            log_traceback(sweep.folder)


def _dashboard_text(url: str | None, options: Options) -> str | None:
    if url is None:
        return "none has come up; the sweep goes on without it" if options.dashboard else None
    command = token_command()
    return f"{url} (it asks for a token: `{command}` prints it)" if command else url
