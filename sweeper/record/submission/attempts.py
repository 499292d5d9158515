"""The jobs that were to run a submitted sweep, each a file in its folder that is written once. So
of two who want to start the next, one does; and whoever reaches the folder knows all of them."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sweeper.record.run_folder import RunFolder, reached
from sweeper.record.state.sweep_state import SweepState


@dataclass(frozen=True, kw_only=True)
class End:
    """Why it is over, where that is known: stopped by its user, refused by a driver that met a
    mistake, not taken by the cluster. After the first two none follows by itself."""

    how: Literal["stopped", "refused", "not started"]
    said: str


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One job, which runs the sweep once from where it is."""

    number: int  # the first is 1
    job: str  # its submission id, which no other has
    by_hand: bool  # False: `keep` has submitted it, since the one before was lost
    submitted: float  # Unix time
    sessions: int  # that there were before
    work: int  # that was done before
    end: End | None = None


def work_done(state: SweepState) -> int:
    """Grows with the steps that are evaluated or saved, and with each trial that ends."""
    trials = state.trials.values()
    return sum(max(trial.step, trial.checkpoint_step or 0) + trial.status.ended for trial in trials)


def read_attempts(folder: RunFolder) -> list[Attempt]:
    """In order. None: the sweep was not submitted."""
    found: list[Attempt] = []
    while (told := _read(folder, len(found) + 1)) is not None:
        found.append(told)
    return found


def _read(folder: RunFolder, number: int) -> Attempt | None:
    with suppress(OSError, ValueError, TypeError):
        end = None
        with suppress(FileNotFoundError):
            end = End(**_json(folder.attempt_end(number)))
        return Attempt(**_json(folder.attempt(number)), end=end)
    return None


def _json(path: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def record_attempt(folder: RunFolder, attempt: Attempt) -> bool:
    """False: somebody else has begun this one.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    told = {name: value for name, value in asdict(attempt).items() if name != "end"}
    with reached(folder.path.parent):
        return folder.store.create(folder.attempt(attempt.number), json.dumps(told).encode())


def record_end(folder: RunFolder, attempt: Attempt, end: End) -> None:
    """What was said first stands.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    with reached(folder.path.parent):
        folder.store.create(folder.attempt_end(attempt.number), json.dumps(asdict(end)).encode())
