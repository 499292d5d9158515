"""What is in the journal is what was appended, whatever is cut off or damaged."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import RunFolderError
from sweeper.record.journal import Journal, read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Event, Fingerprint, SessionStarted, TrialStarted
from tests.sweeper.record.state.test_events import any_event

events = st.lists(any_event(), max_size=6)
ON_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
STARTED = TrialStarted(time=datetime(2026, 11, 25, tzinfo=UTC), trial="0000")


def write(path: Path, events: list[Event]) -> None:
    journal = Journal(RunFolder(path.parent))
    for event in events:
        journal.append(event)
    journal.close()


@ON_ONE_FOLDER
@given(events)
def test_reads_back_what_was_appended(tmp_path: Path, events: list[Event]) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    write(path, events)
    assert list(read_journal(path)) == events


@ON_ONE_FOLDER
@given(events, st.data())
def test_cut_anywhere_it_keeps_every_whole_line(
    tmp_path: Path, events: list[Event], data: st.DataObject
) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    write(path, events)
    content = path.read_bytes()
    cut = content[: data.draw(st.integers(0, len(content)))]
    path.write_bytes(cut)
    whole = cut.count(b"\n")
    assert list(read_journal(path)) == events[:whole]
    journal = Journal(RunFolder(path.parent))
    assert journal.torn == (not cut.endswith(b"\n") and cut != b"")
    journal.append(STARTED)
    journal.close()
    assert list(read_journal(path)) == [*events[:whole], STARTED]


@pytest.mark.parametrize("line", ["{", "[]", '{"no": "event"}', "", "\0\0"])
def test_any_other_damage_is_an_error_that_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, [STARTED, STARTED])
    first, second = path.read_text().splitlines()
    path.write_text("\n".join([first, line, second]) + "\n")
    with pytest.raises(RunFolderError, match=r"journal\.jsonl:2: damaged journal line"):
        list(read_journal(path))


def test_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    journal = Journal(RunFolder(tmp_path))
    fingerprint = Fingerprint(spec={"train.learning_rate": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(SessionStarted(time=STARTED.time, fingerprint=fingerprint))
    journal.close()
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_a_missing_journal_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is this a sweep's run folder"):
        list(read_journal(tmp_path / "journal.jsonl"))
