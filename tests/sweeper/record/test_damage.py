"""A journal that was cut or damaged: the sweep goes on as decided, or the line is named."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import RunFolderError
from sweeper.plan.plan import Plan
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import result_rows
from tests.sweeper.in_process import drive, opened
from tests.sweeper.journals import raw_events

ON_ONE_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan(
        space={"learning_rate": {"grid": [1e-4, 3e-4, 1e-3, 1e-2, 0.7]}},
        scheduler={"type": "asha", "mode": "promote", "grace_steps": 4},
    )


@pytest.fixture
def folder(tmp_path: Path, plan: Plan) -> RunFolder:
    folder = create_run_folder(tmp_path / "runs", plan.spec, "tiny", "space.yaml")
    drive(folder, plan)
    return folder


def decisions(folder: RunFolder) -> list[Any]:
    keep = ("trial", "metrics", "decision", "rung", "rank", "of", "status", "checkpoint")
    told = ("report", "promoted", "trial_ended")
    return [
        [event["event"], *(event.get(key) for key in keep)]
        for event in raw_events(folder.journal)
        if event["event"] in told
    ]


def test_a_line_that_an_earlier_session_wrote_and_is_gone_is_noticed(
    folder: RunFolder, plan: Plan
) -> None:
    """Without it the rest would make sense: the session would have been killed before it."""
    first = folder.journal.read_bytes().splitlines(keepends=True)
    with opened(folder, plan):
        pass
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join([*lines[: len(first) - 1], *lines[len(first) :]]))
    told = (
        rf"journal.jsonl:{len(first)}: .* \(follows: {len(first)} lines, and {len(first) - 1} are"
    )
    with pytest.raises(RunFolderError, match=told):
        replay(plan.spec, folder)


@ON_ONE_FOLDER
@given(data=st.data())
def test_cut_at_any_byte_it_goes_on_as_if_killed_there(
    folder: RunFolder, plan: Plan, data: st.DataObject
) -> None:
    """Without the checkpoints, which a lost record would be behind of."""
    content = folder.journal.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    copy = RunFolder(folder.path.parent / "cut")
    shutil.rmtree(copy.path, ignore_errors=True)
    copy.trials.mkdir(parents=True)
    copy.journal.write_bytes(content[:cut])
    resumed = drive(copy, plan)
    assert decisions(copy) == decisions(folder)
    rows, whole = result_rows(resumed.state, copy), result_rows(replay(plan.spec, folder), folder)
    for row in (*rows, *whole):
        del row["checkpoint"], row["checkpoint_bytes"]
    assert rows == whole


@pytest.mark.parametrize("size", [0, 1, 40])
def test_a_journal_that_lost_everything_is_no_new_sweep(
    folder: RunFolder, plan: Plan, size: int
) -> None:
    content = folder.journal.read_bytes()
    folder.journal.write_bytes(content[:size])
    with pytest.raises(RunFolderError, match=r"journal\.jsonl:1: damaged .* trials have been run"):
        drive(folder, plan)
    assert folder.journal.read_bytes() == content[:size], "what is left is left alone"


@ON_ONE_FOLDER
@given(data=st.data())
def test_a_flipped_byte_is_harmless_or_its_line_is_named(
    folder: RunFolder, plan: Plan, data: st.DataObject
) -> None:
    """Never a traceback, whatever it says now."""
    content = bytearray(folder.journal.read_bytes())
    at = data.draw(st.integers(0, len(content) - 2))
    byte = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'\n"{}[]:,0123456789.')))
    damaged = RunFolder(folder.path.parent / "damaged")
    damaged.path.mkdir(exist_ok=True)
    line = 1 + content[:at].count(b"\n")
    content[at] = byte
    damaged.journal.write_bytes(content)
    try:
        replay(plan.spec, damaged)
    except RunFolderError as error:
        named = int(str(error).split("journal.jsonl:")[1].split(":")[0])
        assert named >= line, "nothing before it is to blame"


@ON_ONE_FOLDER
@given(data=st.data())
def test_a_line_that_is_gone_does_not_change_a_decision(
    folder: RunFolder, plan: Plan, data: st.DataObject
) -> None:
    """Found out where later lines build on it: a report by the ranks after it, say."""
    lines = folder.journal.read_text().splitlines(keepends=True)
    gone = data.draw(st.integers(0, len(lines) - 1))
    damaged = RunFolder(folder.path.parent / "damaged")
    damaged.path.mkdir(exist_ok=True)
    damaged.journal.write_text("".join(lines[:gone] + lines[gone + 1 :]))
    try:
        state = replay(plan.spec, damaged)
    except RunFolderError as error:
        assert "journal.jsonl:" in str(error)
        return
    whole = replay(plan.spec, folder)
    for trial_id, trial in state.trials.items():
        known = whole.trials[trial_id].evaluations
        assert all(seen in known for seen in trial.evaluations)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"event": "report"', '"event": "reprot"', "does not know: 'reprot'"),
        ('"rank": 1', '"rank": 2', r"got .*rank 2.*, but sweep\.yaml leads to .*rank 1"),
        ('"decision": "pause"', '"decision": "stop"', r"was it edited\? Put the old one back"),
        ('"trial": "0000"', '"trial": "0009"', "damaged journal line .*'0009'"),
        ('"metrics": {', '"metrics": [], "x": {', "damaged journal line"),
        ('"step": 4', '"step": "four"', "damaged journal line"),
    ],
)
def test_a_line_that_no_sweep_has_written_is_named(
    folder: RunFolder, plan: Plan, old: str, new: str, problem: str
) -> None:
    lines = folder.journal.read_text().splitlines(keepends=True)
    number, line = next((n, x) for n, x in enumerate(lines) if '"report"' in x and old in x)
    lines[number] = line.replace(old, new, 1)
    folder.journal.write_text("".join(lines))
    with pytest.raises(RunFolderError, match=rf"journal\.jsonl:{number + 1}: .*{problem}"):
        replay(plan.spec, folder)
