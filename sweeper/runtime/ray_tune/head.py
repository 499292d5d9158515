"""The server at the head of a cluster, without which nothing of Ray works: who talks to Ray waits
for it, and Ray ends a process after a minute of that, without a word of what to do."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

from sweeper.runtime.signals import tell

LOOK_EVERY_SECONDS = 2.0
WAIT_SECONDS = 30.0  # and then time to end the sweep, before Ray ends the process
ANSWER_SECONDS = 5.0


@contextmanager
def watching_head(end: Callable[[], None]) -> Iterator[None]:
    """End the sweep where the head does not answer for some time. It is watched by a thread of its
    own: the main one may be in a call of Ray's that waits."""
    address = str(ray.get_runtime_context().gcs_address)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(address, end, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(address: str, end: Callable[[], None], over: threading.Event) -> None:
    missed = 0.0
    while not over.wait(LOOK_EVERY_SECONDS):
        if _answers(address):
            if missed:
                tell("It answers again.")
            missed = 0.0
            continue
        if not missed:
            tell(
                f"The head of the Ray cluster, {address}, does not answer. Waiting "
                f"{WAIT_SECONDS:g} s for it; then the sweep ends here, and can be resumed."
            )
        missed += LOOK_EVERY_SECONDS
        if missed > WAIT_SECONDS:
            tell("It has not come back.")
            return end()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        return True
    return False
