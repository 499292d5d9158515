"""The simulated sweep by itself: who is created when, and what becomes of each."""

from collections.abc import Sequence

from sweeper.status import Status
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.scheduler import Fifo
from sweeper.strategy.simulation import Job, Seen, Stop, by_merit, simulate

JOB = Job(tuple(Stop(at, at, float(at)) for at in (4, 8, 16)), 16, 1, 1, 1)


def test_so_many_are_created_and_the_rest_never_begin() -> None:
    found = simulate([JOB] * 4, Fifo(), 3, by_merit(range(4)), num_trials=2)
    assert found.ends == [Status.COMPLETED] * 2 + [Status.PENDING] * 2
    assert (found.steps, found.seconds) == ([16, 16, 0, 0], 16.0)


def test_who_chooses_is_told_how_far_each_has_come() -> None:
    told: list[list[Seen]] = []

    def choose(seen: Sequence[Seen]) -> int:
        told.append(list(seen))
        return 2 - len(seen)

    simulate([JOB] * 3, Asha(4, 2), 1, by_merit([2, 1, 0]), choose)
    assert told[0] == []
    assert told[1] == [Seen(2, 3, Status.COMPLETED)]
    assert told[2] == [Seen(2, 3, Status.COMPLETED), Seen(1, 1, Status.STOPPED)]


def test_of_a_trial_that_runs_it_is_told_where_it_was_last() -> None:
    """Two slots, of which the second is free again while the first is between its stops."""
    told: list[list[Seen]] = []
    slow = Job(tuple(Stop(at, at, 3.0 * at) for at in (4, 8, 16)), 16, 1, 1, 1)

    def choose(seen: Sequence[Seen]) -> int:
        told.append(list(seen))
        return len(seen)

    simulate([slow, JOB, JOB], Fifo(), 2, by_merit(range(3)), choose)
    assert told[1] == [Seen(0, 0, Status.RUNNING)]
    assert told[2] == [Seen(0, 1, Status.RUNNING), Seen(1, 3, Status.COMPLETED)]


def test_while_any_runs_who_chooses_is_asked_again_and_then_the_search_is_over() -> None:
    """As in `Sweep.next_trial`: an empty answer may change with what comes of the others."""
    asked: list[int] = []

    def choose(seen: Sequence[Seen]) -> int | None:
        asked.append(len(seen))
        ended = [one for one in seen if one.status is not Status.RUNNING]
        return len(seen) if len(seen) <= len(ended) and len(seen) < 2 else None

    found = simulate([JOB] * 4, Fifo(), 2, by_merit(range(4)), choose)
    assert found.ends[:3] == [Status.COMPLETED, Status.COMPLETED, Status.PENDING]
    assert found.seconds == 32.0, "the second waited for the first"
    assert asked[0] == 0
    assert asked[-1] == 2


def test_who_waits_at_a_rung_when_the_search_is_over_has_lost() -> None:
    def choose(seen: Sequence[Seen]) -> int | None:
        return len(seen) if len(seen) < 4 else None

    found = simulate([JOB] * 5, Asha(4, 2, form="promote"), 2, by_merit(range(5)), choose)
    assert found.ends[0] is Status.COMPLETED
    assert set(found.ends[1:4]) <= {Status.COMPLETED, Status.STOPPED}
    assert Status.STOPPED in found.ends
    assert found.ends[4] is Status.PENDING


def test_a_trial_that_diverges_ends_where_it_did_and_has_not_completed() -> None:
    lost = Job((Stop(4, 4, 4.0),), 16, 1, 1, 1, diverges=True)
    found = simulate([lost, JOB], Fifo(), 1, lambda job, _: None if job == 0 else 1.0)
    assert found.ends == [Status.DIVERGED, Status.COMPLETED]
    assert found.steps == [4, 16]
