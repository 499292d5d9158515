"""When which trial ran, as the journal's events tell."""

from datetime import UTC, datetime, timedelta

from sweeper.record.state.events import (
    AttemptFailed,
    CheckpointLanded,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)
from sweeper.record.state.stints import Stints
from sweeper.status import Status

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(stints: Stints) -> list[tuple[str, float, float | None, Status]]:
    return [
        (
            stint.trial_id,
            (stint.began - START).total_seconds(),
            None if stint.ended is None else (stint.ended - START).total_seconds(),
            stint.became,
        )
        for stint in stints
    ]


def test_each_attempt_is_a_stint_that_says_what_became_of_the_trial() -> None:
    stints = Stints()
    for event in (
        TrialStarted(time=at(1), trial="0000"),
        TrialStarted(time=at(2), trial="0001"),
        AttemptFailed(time=at(3), trial="0000", error="RuntimeError"),
        TrialPaused(time=at(4), trial="0001"),
        TrialStarted(time=at(5), trial="0000"),
        TrialEnded(time=at(9), trial="0000", status=Status.COMPLETED, error=None),
        TrialEnded(time=at(10), trial="0001", status=Status.STOPPED, error=None),  # while it waited
    ):
        stints.take(event)
    assert told(stints) == [
        ("0000", 1, 3, Status.FAILED),
        ("0001", 2, 4, Status.PAUSED),
        ("0000", 5, 9, Status.COMPLETED),
    ]


def test_what_runs_is_open_and_after_a_kill_ends_with_what_was_heard_last() -> None:
    stints = Stints()
    stints.take(TrialStarted(time=at(1), trial="0000"))
    stints.take(CheckpointLanded(time=at(7), trial="0000", checkpoint="checkpoint_000000"))
    assert told(stints) == [("0000", 1, None, Status.RUNNING)]
    stints.interrupt()
    stints.interrupt()
    assert told(stints) == [("0000", 1, 7, Status.INTERRUPTED)]
