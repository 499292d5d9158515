"""The jobs that were to run a submitted sweep, each a file in its folder that is written once. So
of two who want to start the next, one does; and whoever reaches the folder knows all of them."""

import itertools
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Literal

from pydantic import FiniteFloat

from sweeper.record.run_folder import RunFolder, reached
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.operating.tracking import WandbMode
from sweeper.typed_json import read_json


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
    submitted: FiniteFloat  # Unix time
    sessions: int  # that there were before
    work: int  # that was done before
    wandb: WandbMode = "off"
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
    with suppress(OSError, ValueError):
        end = None
        with suppress(FileNotFoundError):
            end = read_json(End, folder.attempt_end(number).read_bytes())
        attempt = read_json(Attempt, folder.attempt(number).read_bytes())
        return replace(attempt, number=number, end=end)
    return None


def record_attempt(folder: RunFolder, attempt: Attempt) -> bool:
    """False: somebody else has begun this one.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    told = {name: value for name, value in asdict(attempt).items() if name != "end"}
    with reached(folder.path.parent):
        return folder.store.create(folder.attempt(attempt.number), json.dumps(told).encode())


def record_stop(folder: RunFolder) -> None:
    """No job is to go on with this submitted sweep until it is submitted again. Whether one runs,
    is on its way, or is just about to be submitted: the next number is taken, as one that was
    stopped.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    while not was_stopped(attempts := read_attempts(folder)):
        mark = _mark_after(attempts[-1])
        # First: if another takes the number meanwhile, this is said of that one.
        record_end(folder, mark, End(how="stopped", said="`stop` was typed"))
        record_attempt(folder, mark)


def finish_stop(folder: RunFolder) -> None:
    """A `stop` that was cut short may have said so of the next number, and not taken it.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    attempts = read_attempts(folder)
    if attempts and folder.attempt_end(attempts[-1].number + 1).is_file():
        record_attempt(folder, _mark_after(attempts[-1]))


def _mark_after(last: Attempt) -> Attempt:
    return replace(last, number=last.number + 1, submitted=time.time(), by_hand=True, end=None)


def was_stopped(attempts: list[Attempt]) -> bool:
    end = attempts[-1].end
    return end is not None and end.how == "stopped"


def end_of(folder: RunFolder, number: int) -> End | None:
    """Why the job of this attempt is not to work: it has an end, or `stop` was typed later. Asked
    by that job, it is what the bucket says now.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    with reached(folder.path.parent):
        for later in itertools.count(number):
            with suppress(FileNotFoundError):
                folder.store.get(folder.attempt_end(later))
            with suppress(FileNotFoundError):
                folder.store.get(folder.attempt(later))
            if not folder.attempt(later).is_file():
                break
    own, *others = read_attempts(folder)[number - 1 :]
    stops = [each.end for each in others if was_stopped([each])]
    return own.end or (stops[0] if stops else None)


def record_end(folder: RunFolder, attempt: Attempt, end: End) -> None:
    """What was said first stands.

    Raises:
        UnreachableError: the bucket does not answer.
    """
    with reached(folder.path.parent):
        folder.store.create(folder.attempt_end(attempt.number), json.dumps(asdict(end)).encode())
