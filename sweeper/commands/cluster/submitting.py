"""`submit`: a sweep is checked here, put into storage, and started as a Ray Job; and `keep`, which
starts it again where its driver is lost."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from sweeper.analysis.monitor import Monitor
from sweeper.commands.arguments import Runs
from sweeper.commands.sweeping import Overrides
from sweeper.engine.session.program_code import all_files
from sweeper.errors import (
    InUseError,
    ResourceError,
    RunFolderError,
    SpecError,
    TrainerError,
    UnreachableError,
)
from sweeper.plan.plan import Plan
from sweeper.record.journal import begin_journal, begin_unbegun
from sweeper.record.run_folder import RUNS, RunFolder, create_run_folder, reached
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.places import address_of, shown
from sweeper.record.submission.code import code_here, name_of, packed, put_code
from sweeper.runtime.session.preparation import Options, prepare_run
from sweeper.spec.operating.tracking import WandbMode
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.trainer.section import TrainerSpec
from sweeper.views.console import make_console
from sweeper.views.format import size

MOST_CODE_BYTES = 200 * 2**20
LOOK_EVERY_SECONDS = 3.0
ONCE_SECONDS = 30.0  # in which one hears whether a driver is at work
DASHBOARD = "http://127.0.0.1:8265"

Address = Annotated[
    str,
    typer.Option(
        envvar="RAY_API_SERVER_ADDRESS", metavar="URL", help="Of the cluster's Ray dashboard."
    ),
]


def submit(
    what: Annotated[
        str, typer.Argument(metavar="FILE", help="A search space; or a sweep to go on with.")
    ],
    address: Address = DASHBOARD,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep; refused if taken. [from the file]")
    ] = None,
    overrides: Overrides = [],  # noqa: B006  # typer copies it
    runs: Runs = RUNS,
    wandb: Annotated[
        WandbMode | None,
        typer.Option(help="As of `run`, with the cluster's own key. [as before, or off]"),
    ] = None,
) -> None:
    console, is_new = make_console(), os.path.isfile(what)
    _require_seen(runs, address)
    if is_new:
        _require_data(Path(what), overrides, address)
        prepared = prepare_run(Path(what), console, Options(runs=runs), name, overrides)
    elif name is not None or overrides:
        raise RunFolderError(f"{what}: no such file; a sweep that goes on takes no --name or --set")
    else:
        there = _to_go_on(runs, what)
    from sweeper.runtime.ray_jobs.attempting import start_attempt  # Ray takes seconds
    from sweeper.runtime.ray_jobs.client import Jobs

    jobs = Jobs(address)  # before anything is written
    folder = _put(prepared.plan, runs, name, what) if is_new else there
    try:
        attempt = start_attempt(Monitor(folder), jobs, by_hand=True, wandb=wandb)
    except ResourceError as error:
        again = f"python -m sweeper submit {folder.called} --address {address}"
        raise ResourceError(f"{error}\n{folder.place}: is there; again: {again}") from None
    if attempt is None:
        raise RunFolderError(f"{folder.place}: somebody else has just submitted it")
    console.print(f"{folder.name}: submitted as job {attempt.job}")
    for command in ("status", "logs", "wait", "stop"):
        console.print(f"  python -m sweeper {command} {folder.called}")


def _is_here(address: str) -> bool:
    """Whether the cluster is this machine, as far as its address tells."""
    host = urlsplit(address).hostname or ""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _require_seen(runs: Path, address: str) -> None:
    if address_of(runs) is None and not runs.is_absolute() and not _is_here(address):
        raise RunFolderError(
            f"--runs {runs}: is a folder of this machine, and the cluster is another; name a "
            "bucket, as s3://BUCKET/PREFIX, or a folder that all machines see by its whole path"
        )


def _require_data(file: Path, overrides: Sequence[str], address: str) -> None:
    spec, _ = load_spec(file, overrides)
    if spec.is_ours and spec.data is None and not _is_here(address):
        raise SpecError(
            [
                f"{file}: data: is null, the built-in corpus, which is made where a sweep is "
                "started, and the cluster does not have it; bring data there: "
                "python -m sweeper prepare FOLDER --out s3://BUCKET/books, and "
                "--set data=s3://BUCKET/books"
            ]
        )


def _to_go_on(runs: Path, name: str) -> RunFolder:
    with reached(runs):
        RunFolder(runs / name).store.pull()
        begin_unbegun(RunFolder(runs / name))  # `submit` was killed, perhaps
    folder = find_run_folder(runs, name)
    monitor = Monitor(folder)
    _require_code(monitor)
    if monitor.is_running:
        raise InUseError(f"{folder.place}: it runs; python -m sweeper status {folder.called}")
    if monitor.state.outcome == "finished":
        raise RunFolderError(f"{folder.place}: it has finished: there is nothing to go on with")
    return folder


def _require_code(monitor: Monitor) -> None:
    folder, trainer = monitor.folder, monitor.state.spec.trainer
    with reached(folder.path.parent):
        try:
            if trainer is not None:
                code_here(folder, trainer.folder)
        except FileNotFoundError:
            raise RunFolderError(
                f"{folder.place}: `submit` was ended before the trainer's code was there; submit "
                "the file again under another --name"
            ) from None


def _put(plan: Plan, runs: Path, name: str | None, file: str) -> RunFolder:
    """The sweep's folder, from which a driver elsewhere can begin."""
    spec, code = plan.spec, None
    if spec.trainer is not None:
        code = _code(spec.trainer)
        trainer = spec.trainer.model_copy(update={"folder": name_of(code)})
        spec = spec.model_copy(update={"trainer": trainer})
    folder = create_run_folder(runs, spec, name, file)
    with reached(runs):
        if code is not None:
            put_code(folder, code)
        begin_journal(folder)  # last: from here on others find it
    return folder


def _code(trainer: TrainerSpec) -> bytes:
    folder = Path(trainer.folder)
    files = all_files(folder)
    whole = sum(path.stat().st_size for path in files)
    if whole > MOST_CODE_BYTES:
        raise TrainerError(
            f"trainer.folder: {folder} has {size(whole)} of files, and at most "
            f"{size(MOST_CODE_BYTES)} are brought to the cluster as a program's code; have data "
            "and results elsewhere, or in .gitignore"
        )
    return packed(folder, files)


def keep(
    address: Address = DASHBOARD,
    once: Annotated[bool, typer.Option("--once", help="For half a minute, as for cron.")] = False,
    runs: Runs = RUNS,
) -> None:
    from sweeper.runtime.ray_jobs.keeping import Keeper  # Ray takes seconds

    _require_seen(runs, address)
    console = make_console()
    keeper = Keeper(runs, address, lambda said: console.print(f"{time.strftime('%F %T')} {said}"))
    if once:
        until = time.monotonic() + ONCE_SECONDS
        while keeper.look() and time.monotonic() < until:
            time.sleep(LOOK_EVERY_SECONDS)
        return
    console.print(f"Keeping the sweeps in {shown(runs)} going, on {address}. Ctrl-C ends this.")
    while True:
        try:
            keeper.look()
        except UnreachableError as error:  # for a while
            console.print(str(error))
        time.sleep(LOOK_EVERY_SECONDS)
