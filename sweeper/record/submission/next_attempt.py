"""What is to be done with a submitted sweep, by what its folder says of it, and by nothing else:
what Ray says of a job whose machine is gone is not to be believed."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.submission.attempts import Attempt, read_attempts, work_done

BEGIN_SECONDS = 90.0  # that a job may take until it gives a sign of life
FIRST_WAIT_SECONDS = 15.0  # after one attempt in vain; twice as long after each other
CLUSTER_WAIT_SECONDS = 10.0  # after one that the cluster did not take; twice as long likewise
LONGEST_WAIT_SECONDS = 600.0  # however often it did not
MOST_IN_VAIN = 5  # attempts in a row that bring a sweep no further


class Act(StrEnum):
    LEAVE = "leave"  # there is nothing to do
    WAIT = "wait"
    SUBMIT = "submit"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Step:
    act: Act
    why: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A submitted sweep as its folder shows it."""

    attempts: Sequence[Attempt]
    is_live: bool  # a driver has said so lately
    has_finished: bool
    has_spent: bool  # what `max_spend` allows
    sessions: int
    work: int  # done so far, as the attempts count it


def standing_of(folder: RunFolder, state: SweepState, *, is_live: bool) -> Standing:
    return Standing(
        attempts=read_attempts(folder),
        is_live=is_live,
        has_finished=state.outcome == "finished",
        has_spent=bool(state.sessions) and state.sessions[-1].reached is not None,
        sessions=len(state.sessions),
        work=work_done(state),
    )


def next_step(standing: Standing, now: float) -> Step:
    """
    Args:
        now: Unix time.
    """
    if not standing.attempts:
        return Step(Act.LEAVE, "it was not submitted")
    if standing.is_live:
        return Step(Act.LEAVE, "it runs")
    if standing.has_finished:
        return Step(Act.LEAVE, "it has finished")
    last = standing.attempts[-1]
    if last.end is not None and last.end.how != "not started":
        return Step(Act.LEAVE, f"{last.end.how}: {last.end.said}")
    return _after_lost(standing, last, now - last.submitted)


def _after_lost(standing: Standing, last: Attempt, waited: float) -> Step:
    if last.end is not None:
        wait, why = _cluster_wait(standing.attempts), f"not started: {last.end.said}"
    elif standing.sessions <= last.sessions and waited < BEGIN_SECONDS:
        return Step(Act.WAIT, f"job {last.job} is to begin")
    elif standing.has_spent:
        return Step(Act.LEAVE, "it has come to its max_spend")
    elif (in_vain := _in_vain(standing)) >= MOST_IN_VAIN:
        why = f"given up: {in_vain} attempts in a row have brought it no further"
        return Step(Act.GIVE_UP, why)
    else:
        wait = FIRST_WAIT_SECONDS * 2 ** (in_vain - 1) if in_vain else 0.0
        begun = standing.sessions > last.sessions
        why = f"the driver of attempt {last.number} {'is lost' if begun else 'has not begun'}"
    if waited < wait:
        return Step(Act.WAIT, f"{why}; the next in {wait - waited:.0f} s")
    return Step(Act.SUBMIT, why)


def _cluster_wait(attempts: Sequence[Attempt]) -> float:
    """A cluster that takes no job may be away for days, and each attempt is a file."""
    ends = (attempt.end for attempt in reversed(attempts))
    refused = itertools.takewhile(lambda end: end is not None and end.how == "not started", ends)
    return min(CLUSTER_WAIT_SECONDS * 2.0 ** (len(list(refused)) - 1), LONGEST_WAIT_SECONDS)


def _in_vain(standing: Standing) -> int:
    """The last attempts, since the sweep was last submitted by hand, that have achieved nothing."""
    count = 0
    for attempt in reversed(standing.attempts):
        if attempt.work < standing.work:
            break
        count += attempt.end is None
        if attempt.by_hand:
            break
    return count
