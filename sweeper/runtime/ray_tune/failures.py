"""What Ray says when an attempt at a trial fails: in words for people, with whose fault it was."""

import re
from dataclasses import dataclass
from pathlib import Path

import ray
from ray import exceptions
from ray._private.state import state

from sweeper.errors import storage_error
from sweeper.runtime.trial_loop import NOT_BEGUN


class ActorLost(exceptions.RayActorError):  # type: ignore[misc]  # Ray is untyped
    """What ended an actor, in the only form in which Tune knows how to go on (see `controller`)."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(error_msg=str(reason))
        self.reason = reason


# When a process dies on a live node, the node says so within a second. If instead an actor cannot
# be reached, or cannot be placed any more, its node or the network has failed.
_NODE_ERRORS = (
    exceptions.ActorUnavailableError,
    exceptions.ActorUnschedulableError,
    exceptions.ActorPlacementGroupRemoved,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
)
_WORKER = re.compile(r"^ray::.*?\(pid=(\d+), ip=([^,]+),.*\)$", re.MULTILINE)
_OUT_OF_MEMORY = (
    "Ray ended the trial because its node was running out of memory: make the model or its batch "
    "smaller, or run fewer trials at a time (`resources`, `max_concurrent`)."
)
_NODE_LOST = "The node of the trial was lost; this is not counted among the trial's failures."
_NOT_REUSED = (
    "The process of another trial could not be used again; this one gets a new process, and it is "
    "not counted among its failures."
)
_DIED = "The process of the trial died."


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed. `counted`: whether it is one of the failures that a trial may have.
    `begun`: whether it had taken a step; None where its process can say nothing any more."""

    error: str
    counted: bool = True
    begun: bool | None = None


def failure(exception: Exception, *, node_is_lost: bool) -> Failure:
    if isinstance(exception, exceptions.RayTaskError):
        text = _traceback(exception)
        return Failure(text, begun=NOT_BEGUN not in text)
    reason = exception.reason if isinstance(exception, ActorLost) else exception
    if isinstance(reason, exceptions.OutOfMemoryError):
        return Failure(f"{_OUT_OF_MEMORY}\n\n{reason}", begun=True)  # another may be smaller
    if node_is_lost:
        return Failure(f"{_NODE_LOST}\n\n{_plain(reason)}", counted=False)
    if not isinstance(reason, exceptions.RayActorError):
        return Failure(f"{type(reason).__name__}: {_plain(reason)}")
    if reason.actor_init_failed:
        return Failure(_traceback(reason), begun=False)
    return Failure(f"{_DIED}\n\n{_plain(reason)}")


def not_reused(exception: Exception) -> Failure:
    """The failure of a process that has run other trials and cannot run this one."""
    said = failure(exception, node_is_lost=False).error
    return Failure(f"{_NOT_REUSED}\n\n{said}", counted=False)


def hung(seconds: float, stack: Path) -> Failure:
    """The failure of a trial that was killed because nothing was heard of it. `stack` is where it
    hung."""
    error = (
        f"No result for {seconds:g} s (`trial_timeout_s`): the trial was taken for hung, and its "
        "process killed. Give it longer if a step, an evaluation or a checkpoint may take so long."
    )
    try:
        where = _without_ray(stack.read_text(encoding="utf-8", errors="replace"))
        return Failure(f"{error}\n\nIt was here:\n{where}")
    except OSError:
        return Failure(error)


def not_ready(seconds: float) -> Failure:
    """The failure of a trial that was killed before it began."""
    error = (
        f"The trial was not made ready within {seconds:g} s, in a process of its own or in one that"
        " had run others: it was taken for hung, and its process killed."
    )
    return Failure(error, begun=False)


def full_storage(exception: Exception) -> str | None:
    """What could not be written, if the failure comes from a full or read-only file system."""
    if not isinstance(exception, exceptions.RayTaskError):
        return None
    error = storage_error(exception.cause)
    return None if error is None else f"{error.filename or 'storage'}: {error.strerror}"


def node_of(exception: Exception) -> str | None:
    """The id of the node on which a process has died; None if none has, or the node is not
    known."""
    if not isinstance(exception, exceptions.RayActorError) or exception.actor_init_failed:
        return None
    table = state.actor_table(exception.actor_id) if exception.actor_id else {}
    return table["Address"]["NodeID"] or None if table else None


def node_is_lost(exception: Exception, node: str | None) -> bool:
    reason = exception.reason if isinstance(exception, ActorLost) else exception
    if isinstance(reason, _NODE_ERRORS):
        return True
    return node is not None and not any(n["NodeID"] == node and n["Alive"] for n in ray.nodes())


def _traceback(exception: Exception) -> str:
    return _without_ray(_WORKER.sub(r"Traceback of process \1 on \2:", _plain(exception)))


def _without_ray(traceback: str) -> str:
    """A traceback without the frames of Ray, which are the same for all."""
    lines, inside_ray = [], False
    for line in traceback.splitlines():
        if line.startswith('  File "'):
            inside_ray = "/site-packages/ray/" in line
        elif not line.startswith("    "):
            inside_ray = False
        if not inside_ray and not re.fullmatch(r" +[\^~]+", line):
            lines.append(line)
    return "\n".join(lines)


def _plain(exception: Exception) -> str:
    """The message without Ray's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(exception)).strip()
