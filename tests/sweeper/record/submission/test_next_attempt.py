"""What becomes of a submitted sweep, by what its folder says: values in, values out."""

from typing import Any

import pytest

from sweeper.record.submission.attempts import Attempt, End
from sweeper.record.submission.next_attempt import (
    BEGIN_SECONDS,
    FIRST_WAIT_SECONDS,
    MOST_IN_VAIN,
    Act,
    Standing,
    next_step,
)

NOW = 1000.0


def attempt(number: int = 1, **stated: Any) -> Attempt:
    """The sweep was submitted with the first; each found 10 more done than the one before."""
    values: dict[str, Any] = {
        "number": number,
        "job": f"job-{number}",
        "by_hand": number == 1,
        "submitted": NOW - 600,
        "sessions": number - 1,
        "work": 10 * (number - 1),
    }
    return Attempt(**{**values, **stated})


def act(*attempts: Attempt, **stated: Any) -> Act:
    """Of a sweep in whose last attempt something was done, before the driver was lost."""
    values: dict[str, Any] = {
        "is_live": False,
        "has_finished": False,
        "has_spent": False,
        "sessions": len(attempts),
        "work": 10 * len(attempts),
    }
    return next_step(Standing(attempts=attempts, **{**values, **stated}), NOW).act


def end(how: Any) -> End:
    return End(how=how, said="so")


def test_whose_driver_is_lost_is_submitted_again_at_once() -> None:
    assert act(attempt(submitted=NOW - 1)) is Act.SUBMIT
    assert act(attempt(), attempt(2)) is Act.SUBMIT


@pytest.mark.parametrize(
    ("attempts", "stated"),
    [
        ((), {}),
        ((attempt(),), {"is_live": True}),
        ((attempt(),), {"has_finished": True}),
        ((attempt(),), {"has_spent": True}),
        ((attempt(end=end("stopped")),), {}),
        ((attempt(end=end("refused")),), {}),
    ],
    ids=["not submitted", "live", "finished", "spent", "stopped", "refused"],
)
def test_others_are_left(attempts: tuple[Attempt, ...], stated: dict[str, Any]) -> None:
    assert act(*attempts, **stated) is Act.LEAVE


def test_what_an_earlier_attempt_met_counts_no_more() -> None:
    assert act(attempt(end=end("stopped")), attempt(2, by_hand=True)) is Act.SUBMIT


@pytest.mark.parametrize(
    ("submitted", "expected"),
    [(NOW - BEGIN_SECONDS + 1, Act.WAIT), (NOW - BEGIN_SECONDS, Act.SUBMIT)],
)
def test_a_job_has_a_while_to_begin(submitted: float, expected: Act) -> None:
    assert act(attempt(submitted=submitted), sessions=0) is expected


def test_attempts_in_vain_come_more_and_more_slowly_and_then_no_more() -> None:
    """A sweep that takes its driver down each time is not tried for ever."""
    attempts, waits = [], []
    for number in range(1, MOST_IN_VAIN):
        attempts.append(attempt(number, work=50))
        for waited in (FIRST_WAIT_SECONDS * 2**n for n in range(10)):
            attempts[-1] = attempt(number, work=50, submitted=NOW - waited)
            if act(*attempts, work=50) is Act.SUBMIT:
                waits.append(waited)
                break
    assert waits == [15, 30, 60, 120]
    attempts.append(attempt(MOST_IN_VAIN, work=50))
    assert act(*attempts, work=50) is Act.GIVE_UP
    assert act(*attempts, work=51) is Act.SUBMIT  # the last one did something
    assert act(*attempts, attempt(6, work=50, by_hand=True), work=50) is Act.SUBMIT


def test_a_cluster_that_takes_no_job_is_asked_on_and_on() -> None:
    attempts = [attempt(n, work=0, end=end("not started")) for n in range(1, 3 * MOST_IN_VAIN)]
    assert act(*attempts, work=0) is Act.SUBMIT
    just_now = attempt(len(attempts) + 1, end=end("not started"), submitted=NOW - 1)
    assert act(*attempts, just_now, work=0) is Act.WAIT


def test_a_cluster_that_takes_no_job_is_asked_more_and_more_slowly() -> None:
    """Each is a file, and a cluster may be away for days."""
    waits = []
    for count in (1, 2, 3, 60):
        for waited in range(5, 1000, 5):
            attempts = [
                attempt(n, end=end("not started"), submitted=NOW - waited)
                for n in range(1, count + 1)
            ]
            if act(*attempts) is Act.SUBMIT:
                waits.append(waited)
                break
    assert waits == [10, 20, 40, 600]
