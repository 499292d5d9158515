"""Who is silent for too long: the watch by itself, and where a trial says it hangs."""

import threading
from pathlib import Path

import pytest

from sweeper.runtime.ray_tune.faults import LONGEST_TICK_SECONDS, START_SECONDS, Silence
from sweeper.runtime.stack import stack_if_longer


def watch(silence: Silence, placed: list[str], seconds: range) -> dict[int, list[str]]:
    """Who is told to be overdue, by the second."""
    told = {second: silence.overdue(placed, float(second)) for second in seconds}
    return {second: names for second, names in told.items() if names}


def heard(silence: Silence, *trials: str, at: float = 0.0) -> Silence:
    for trial in trials:
        silence.heard(trial, at)
    return silence


def test_who_is_silent_for_longer_than_the_limit_is_told_once() -> None:
    silence = heard(Silence(10), "a", "b")
    assert watch(silence, ["a", "b"], range(6)) == {}
    silence.heard("b", 5.0)
    assert watch(silence, ["a", "b"], range(6, 20)) == {11: ["a"], 16: ["b"]}


def test_the_silence_begins_when_it_was_heard_not_when_the_driver_last_looked() -> None:
    silence = heard(Silence(10), "a")
    assert silence.overdue(["a"], 0.0) == []
    silence.heard("a", 4.0)
    assert watch(silence, ["a"], range(5, 20)) == {15: ["a"]}


def test_waiting_for_a_slot_is_no_silence() -> None:
    silence = heard(Silence(10), "a")
    assert watch(silence, ["a"], range(9)) == {}
    assert watch(silence, [], range(9, 100)) == {}
    heard(silence, "a", at=100.0)
    assert watch(silence, ["a"], range(100, 120)) == {111: ["a"]}


def test_the_start_of_a_process_is_none_unless_it_takes_very_long() -> None:
    silence, start = Silence(10), int(START_SECONDS)
    assert watch(silence, ["a", "b"], range(start)) == {}
    silence.heard("b", START_SECONDS)
    assert watch(silence, ["a", "b"], range(start, start + 12)) == {start + 11: ["a", "b"]}


def test_a_driver_that_was_away_has_not_heard_of_anyone() -> None:
    silence = heard(Silence(10), "a")
    assert silence.overdue(["a"], 0.0) == []
    assert silence.overdue(["a"], 3600.0) == []
    silence.heard("a", 3600.0)
    assert silence.overdue(["a"], 3600.0 + LONGEST_TICK_SECONDS) == []


def test_without_a_limit_nobody_is_too_late() -> None:
    assert watch(Silence(None), ["a"], range(0, 10_000, 4)) == {}


def test_a_block_that_takes_longer_notes_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "stack.txt"
    never = threading.Event()

    def wait_for_the_note() -> str:
        while not path.exists() or "wait_for_the_note" not in (text := path.read_text()):
            never.wait(0.01)  # between two looks at the condition
        return text

    with stack_if_longer(0.01, path):
        said = wait_for_the_note()
    assert "never.wait" in said or "path" in said
    assert not path.exists(), "it went on"


@pytest.mark.parametrize("seconds", [60.0, None])
def test_a_block_that_is_quick_notes_nothing(tmp_path: Path, seconds: float | None) -> None:
    before = threading.active_count()
    with stack_if_longer(seconds, tmp_path / "stack.txt"):
        pass
    assert list(tmp_path.iterdir()) == []
    while threading.active_count() > before:
        pass  # the timer is told to end, and ends
