"""What is in the journal is what was appended, whatever is cut off or damaged."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import RunFolderError
from sweeper.record.journal import Journal, read_journal

fields = st.dictionaries(
    st.text(min_size=1).filter(lambda key: key not in {"event", "time", "self"}),
    st.one_of(
        st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    max_size=4,
)


def write(path: Path, events: list[dict[str, Any]]) -> None:
    journal = Journal(path)
    for number, event in enumerate(events):
        journal.append(f"event{number}", **event)
    journal.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fields, max_size=6))
def test_reads_back_what_was_appended(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    write(path, events)
    read = [{k: v for k, v in e.items() if k not in {"event", "time"}} for e in read_journal(path)]
    assert read == events


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fields, min_size=1, max_size=4), st.data())
def test_cut_anywhere_it_keeps_every_whole_line(
    tmp_path: Path, events: list[dict[str, Any]], data: st.DataObject
) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    write(path, events)
    content = path.read_bytes()
    cut = content[: data.draw(st.integers(0, len(content)))]
    path.write_bytes(cut)
    whole = cut.count(b"\n")
    assert len(list(read_journal(path))) == whole
    journal = Journal(path)
    assert journal.torn == (not cut.endswith(b"\n") and cut != b"")
    journal.append("after")
    journal.close()
    assert [event["event"] for event in read_journal(path)][whole:] == ["after"]


@pytest.mark.parametrize("line", ["{", "[]", '{"no": "event"}', "", "\0\0"])
def test_any_other_damage_is_an_error_that_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, [{}, {}])
    first, second = path.read_text().splitlines()
    path.write_text("\n".join([first, line, second]) + "\n")
    with pytest.raises(RunFolderError, match=r"journal\.jsonl:2: damaged journal line"):
        list(read_journal(path))


def test_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append("report", loss=float("nan"))
    journal.close()
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_a_missing_journal_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is this a sweep's run folder"):
        list(read_journal(tmp_path / "journal.jsonl"))
