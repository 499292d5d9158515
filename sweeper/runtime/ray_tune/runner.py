"""A sweep on a Ray cluster: start or join the cluster, and run Tune on it until the sweep ends."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

# Read by Ray when it is imported. Our journal is the record: Tune's snapshots, loggers and signal
# handling would only cost time, and nothing ever reads them.
os.environ.update(
    {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": str(10**9),
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
    }
)
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray import tune

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.errors import ResourceError
from sweeper.plan.placement import Node, Placement
from sweeper.record.run_folder import RunFolder
from sweeper.runtime.ray_tune.adapters import SweepCallback, SweepScheduler, SweepSearch, request
from sweeper.runtime.ray_tune.controller import SweepController, controlled
from sweeper.runtime.ray_tune.faults import Faults
from sweeper.runtime.ray_tune.interrupt import Interrupt
from sweeper.runtime.ray_tune.trial_actor import TrialActor
from sweeper.status import ExitCode

CONNECT_SECONDS = 10.0
EXIT_SECONDS = 13.0  # from a signal to the end of the process, whatever hangs


@dataclass(frozen=True)
class Cluster:
    """What a sweep needs to know about the Ray cluster that it runs on."""

    nodes: tuple[Node, ...]
    dashboard_url: str | None


@contextmanager
def ray_cluster(*, dashboard: bool = True) -> Iterator[Cluster]:
    """Join the cluster that RAY_ADDRESS names, or start one on this machine until the sweep ends.

    Raises:
        ResourceError: no cluster answers there.
    """
    address = os.environ.get("RAY_ADDRESS")
    with _ray_messages_to(None):  # until a run folder has a log for them
        try:
            if address:
                _require_answer(address)
            with _own_sigterm():
                context = ray.init(
                    # By itself Ray would join what was last started on this machine.
                    address=None if address else "local",
                    include_dashboard=None if address else dashboard,
                    log_to_driver=False,
                    configure_logging=False,
                )
        except ConnectionError as error:
            raise ResourceError(
                f"RAY_ADDRESS: no Ray cluster answers at {address} ({error}); "
                "unset it to use this machine"
            ) from None
        try:
            there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            url = context.dashboard_url
            yield Cluster(
                nodes=tuple(Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in there),
                dashboard_url=f"http://{url}" if url else None,
            )
        finally:
            ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """`ray.init` replaces our handler by one that ends with another exit code; put ours back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _require_answer(address: str) -> None:
    """Raise ConnectionError within seconds, where `ray.init` would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # `auto`, `local`: Ray knows at once
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ConnectionError(error) from error


def run_trials(sweep: Sweep, placement: Placement, audience: Audience, trainer: str) -> bool:
    """Run every trial that is left. Returns True if all have ended, False if it was interrupted."""
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(placement.slots)
    interrupt = Interrupt()
    faults = Faults(sweep, audience, interrupt)
    audience.catch_up()
    with (
        _signals(interrupt, sweep.folder),
        _ray_messages_to(logging.FileHandler(sweep.folder.log)),
        controlled(partial(SweepController, faults, _idle(placement))),
    ):
        # `tune.run` rather than a Tuner: a Tuner pickles itself into the run folder.
        tune.run(
            TrialActor,
            storage_path=str(sweep.folder.path.resolve()),
            name=sweep.folder.trials.name,
            search_alg=SweepSearch(sweep, placement, trainer, interrupt),
            scheduler=SweepScheduler(sweep, audience, interrupt),
            callbacks=[SweepCallback(sweep, audience, faults)],
            stop=interrupt,
            reuse_actors=True,
            raise_on_failed_trial=False,
            verbose=0,
        )
    for leftover in sweep.folder.tune_leftovers:
        leftover.unlink(missing_ok=True)
    return sweep.is_over


def _idle(placement: Placement) -> dict[tune.PlacementGroupFactory, int]:
    """The idle processes to keep: one for each slot. None if shares differ, since a kept process
    would hold what a trial with another share needs."""
    if placement.resources.cases:
        return {}
    return {request(placement.share({})): placement.slots}


@contextmanager
def _signals(interrupt: Interrupt, folder: RunFolder) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks the sweep to end, the second ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # a notebook, say: its own handling of signals stands
        return
    overdue = threading.Timer(EXIT_SECONDS, _exit_now, [folder])
    overdue.daemon = True

    def handle(signum: int, frame: Any) -> None:
        if interrupt.requested:
            _exit_now(folder)
        interrupt.request()
        overdue.start()
        message = "Stopping: what runs is being checkpointed. Ctrl-C again ends it at once."
        print(message, file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_now(folder: RunFolder) -> None:
    """End this process at once. Every event is in the journal, and Ray's processes end with this
    one.

    Ray itself may be what does not answer: the SIGTERM of a supervisor reaches its processes too.
    """
    message = f"\nEnded at once. Go on with:  python -m sweeper resume {folder.called}"
    print(message, file=sys.stderr, flush=True)
    os._exit(ExitCode.INTERRUPTED)


@contextmanager
def _ray_messages_to(handler: logging.Handler | None) -> Iterator[None]:
    """Write what Ray and Tune say to this file, or nowhere (None): they would print over the
    table."""
    logger = logging.getLogger("ray")
    before = logger.level
    # A level, since `ray.init` takes away all handlers and Python then prints warnings itself.
    logger.setLevel(logging.INFO if handler else logging.CRITICAL)
    if handler:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(before)
        if handler:
            logger.removeHandler(handler)
            handler.close()
