"""The Ray cluster that a sweep runs on: joined, or started on this machine until the sweep ends."""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

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
# By itself Ray starts a Python process for each core of the machine, half a second of CPU and 80 MB
# each, and none becomes a trial's, which Tune has started with an environment of its own.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.errors import ResourceError
from sweeper.plan.placement import Node
from sweeper.record.stores.places import address_of
from sweeper.runtime.ray_tune.shared.nodes import staying_nodes

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0  # of each node
HTTP2_HEADER = 9  # bytes of a frame's: length (3), type, flags, stream (4)
# How a client begins, with an empty frame of settings.
HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


Ask = Callable[[Sequence[str], Path], list[bool]]  # of nodes, whether each sees a file


@dataclass(frozen=True)
class Cluster:
    """What a sweep needs to know about the Ray cluster that it runs on."""

    nodes: tuple[Node, ...]
    dashboard_url: str | None


@contextmanager
def ray_cluster(*, dashboard: bool = True) -> Iterator[Cluster]:
    """Join the cluster that RAY_ADDRESS names, or start one on this machine until the sweep ends.

    Raises:
        ResourceError: no cluster answers there, or Ray cannot be started here.
    """
    address = os.environ.get("RAY_ADDRESS")
    with ray_messages_to(None):  # until a run folder has a log for them
        if address:
            _require_answer(address)
        try:
            with _own_signals():
                context = ray.init(
                    # By itself Ray would join what was last started on this machine.
                    address=None if address else "local",
                    # None: one that is not there in time (a busy machine) is done without.
                    include_dashboard=None if address or dashboard else False,
                    log_to_driver=False,
                    configure_logging=False,
                )
        except (OSError, RuntimeError, ValueError) as error:
            raise ResourceError(
                _not_joined(address, error) if address else _not_started(error)
            ) from error
        try:
            url = context.dashboard_url
            yield Cluster(nodes=staying_nodes(), dashboard_url=f"http://{url}" if url else None)
        finally:
            ray.shutdown()


def require_shared(runs: Path) -> None:
    """Every node is to see the run folders. Where one does not, a trial would train there, fail at
    its first checkpoint, and be tried again.

    Raises:
        ResourceError: a node does not see the folder, whose sweeps are on disks.
    """
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    if len(nodes) > 1 and address_of(runs) is None:
        require_seen(runs, nodes, _ask_nodes)


def require_seen(runs: Path, nodes: dict[str, str], ask: Ask) -> None:
    """
    Args:
        nodes: The hosts' names by the nodes' ids.

    Raises:
        ResourceError: as `require_shared`.
    """
    probe = runs.resolve() / f".seen-{secrets.token_hex(8)}"
    made = [folder for folder in probe.parents if not folder.exists()]  # the deepest first
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        seen = ask(list(nodes), probe)
    except OSError as error:
        raise ResourceError(f"{runs}: cannot be written ({error.strerror}): --runs") from None
    finally:
        probe.unlink(missing_ok=True)
        with suppress(OSError):
            for folder in made:  # a sweep that does not start leaves nothing
                folder.rmdir()
    blind = [host for host, sees in zip(nodes.values(), seen, strict=True) if not sees]
    if blind:
        raise ResourceError(
            f"{probe.parent}: {', '.join(blind)} of the cluster's {len(nodes)} nodes do not see "
            "this folder, and a trial there could not bring its checkpoints to it; name a folder "
            "that all share, or a bucket: --runs s3://BUCKET/PREFIX (docs/cluster.md)"
        )


def _ask_nodes(nodes: Sequence[str], probe: Path) -> list[bool]:
    """A node that does not answer is none that trials run on."""
    task = ray.remote(num_cpus=0)(_sees)
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            str(probe)
        )
        for node in nodes
    ]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=ANSWER_SECONDS)
    return [_answer(each) if each in ready else True for each in asked]


def _answer(asked: "ray.ObjectRef") -> bool:
    try:
        return bool(ray.get(asked))
    except RayError:  # it has gone meanwhile
        return True


def _sees(probe: str) -> bool:
    return Path(probe).exists()


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
    """Find out within seconds what `ray.init` would try for minutes.

    Raises:
        ResourceError: the address is none, or nobody answers there, or what answers is not Ray.
    """
    if address in ("auto", "local"):
        return  # Ray knows at once
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or "/" in host or not (port.isascii() and port.isdigit()):
        raise ResourceError(
            f"RAY_ADDRESS: must be HOST:PORT of a Ray cluster, as 10.0.0.1:6379, or auto, got "
            f"{address!r}; unset it to use this machine"
        )
    try:
        where = (host.strip("[]"), int(port))
        with socket.create_connection(where, timeout=CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                _require_grpc(connection)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ResourceError(_not_joined(address, error)) from None


def _require_grpc(connection: socket.socket) -> None:
    """Raise ConnectionError unless HTTP/2 is spoken here, over which Ray talks."""
    connection.sendall(HTTP2_HELLO)
    connection.settimeout(CONNECT_SECONDS)
    answer = b""
    while len(answer) < HTTP2_HEADER and (more := connection.recv(HTTP2_HEADER - len(answer))):
        answer += more
    if answer[3:4] != HTTP2_HELLO[-6:-5]:  # the type of its first frame: its settings, as ours
        raise ConnectionError("what answers is not Ray")


def _not_joined(address: str, error: Exception) -> str:
    return (
        f"RAY_ADDRESS: no Ray cluster answers at {address} ({_in_a_line(error)}); "
        "unset it to use this machine"
    )


def _not_started(error: Exception) -> str:
    """Which of what Ray needs of this machine is missing, by what is known of its errors."""
    said = _in_a_line(error)
    home = Path.home() / ".ray"
    if "AF_UNIX path length" in said:
        variable = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
        return (
            f"{variable}: {os.environ.get(variable) or gettempdir()} is too long a path for Ray's "
            "sockets, whose paths have at most 107 letters; name a shorter one, as RAY_TMPDIR=/tmp"
        )
    if isinstance(error, OSError) and str(error.filename or "").startswith(str(home)):
        return (
            f"HOME: Ray keeps its token in {home}, which cannot be written ({error.strerror}); "
            "set HOME to a folder of your own"
        )
    return f"Ray could not be started on this machine: {said}"


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
