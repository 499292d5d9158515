"""How busy the slots were, on journals whose truth is known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sweeper.analysis.slots import SlotUse, slot_use_of
from sweeper.record.state.events import Allotment, SessionStarted
from sweeper.record.state.session import Session
from sweeper.record.state.stints import Stint
from sweeper.status import Status

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def session(begins: float, ends: float, slots: int = 2) -> Session:
    placement = Allotment(slots=slots, cpu=1, gpu=0)
    return Session(SessionStarted(time=at(begins), placement=placement), ended=at(ends))


def ran(trial_id: str, began: float, ended: float | None) -> Stint:
    over = None if ended is None else at(ended)
    status = Status.RUNNING if ended is None else Status.COMPLETED
    return Stint(trial_id=trial_id, began=at(began), ended=over, became=status)


def used(sessions: Sequence[Session], *stints: Stint) -> SlotUse:
    found = slot_use_of(sessions, stints)
    assert found is not None
    return found


def test_two_slots_of_which_one_stands_idle_for_a_while() -> None:
    use = used([session(0, 20)], ran("0000", 4, 20), ran("0001", 4, 8), ran("0002", 12, 20))
    assert [stint.slot for stint in use.stints] == [0, 1, 1]
    assert (use.slots, use.seconds, use.busy, use.before_first) == (2, 20, 28, 4)
    assert use.utilisation == pytest.approx(28 / 40)


def test_the_time_between_two_sessions_does_not_count() -> None:
    sessions = [session(0, 10, 1), session(1000, 1010, 1)]
    use = used(sessions, ran("0000", 0, 10), ran("0000", 1002, 1010))
    assert [(s.began, s.ended) for s in use.stints] == [(0, 10), (12, 20)]
    assert (use.seconds, use.busy, use.before_first, use.sessions) == (20, 18, 2, (0, 10))


def test_one_that_runs_is_busy_until_the_last_that_was_heard() -> None:
    use = used([session(0, 10, 1)], ran("0000", 5, None))
    assert (use.busy, use.utilisation) == (5, 0.5)
    assert use.stints[0].became is Status.RUNNING


def test_a_late_note_of_an_end_takes_no_other_slot_and_counts_once() -> None:
    use = used([session(0, 10, 1)], ran("0000", 0, 5.5), ran("0001", 5, 10))
    assert (use.slots, use.busy, use.utilisation) == (1, 10, 1.0)


def test_trials_that_do_run_side_by_side_have_a_slot_each_whatever_was_noted() -> None:
    use = used([session(0, 10, 1)], ran("0000", 0, 10), ran("0001", 0, 10))
    assert (use.slots, use.busy) == (2, 20)


def test_without_a_journal_there_is_nothing_to_say() -> None:
    assert slot_use_of([], []) is None
    assert slot_use_of([session(0, 10)], []) is None
