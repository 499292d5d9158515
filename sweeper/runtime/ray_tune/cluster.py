"""The Ray cluster that a sweep runs on: joined, or started on this machine until the sweep ends."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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

from sweeper.errors import ResourceError
from sweeper.plan.placement import Node

CONNECT_SECONDS = 10.0


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
    with ray_messages_to(None):  # until a run folder has a log for them
        try:
            if address:
                _require_answer(address)
            with _own_signals():
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
            url = context.dashboard_url
            yield Cluster(nodes=living_nodes(), dashboard_url=f"http://{url}" if url else None)
        finally:
            ray.shutdown()


def living_nodes() -> tuple[Node, ...]:
    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return tuple(Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in there)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Start Ray's processes with SIGHUP blocked: when a terminal closes they get it too, and the
    driver still needs them. And put back our handler of SIGTERM: `ray.init` replaces it by one that
    ends with another exit code."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _require_answer(address: str) -> None:
    """Raise ConnectionError within seconds, where `ray.init` would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # `auto`, `local`: Ray knows at once
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ConnectionError(error) from error


@contextmanager
def ray_messages_to(handler: logging.Handler | None) -> Iterator[None]:
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
