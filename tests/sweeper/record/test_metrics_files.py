"""Every step of a trial once in its metrics file, whatever was cut off; damage is told by line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import RunFolderError
from sweeper.record.metrics_files import MetricsFiles, read_metrics
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from tests.sweeper.record.state.test_events import built
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

ON_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
TRIAL = Trial("0000", {}, TrainConfig())
rows_of_a_trial = st.lists(built(Metrics), unique_by=lambda row: row.step, max_size=6).map(
    lambda rows: sorted(rows, key=lambda row: row.step)
)


@ON_ONE_FOLDER
@given(rows_of_a_trial, st.data())
def test_cut_anywhere_and_written_on_it_has_every_step_once(
    tmp_path: Path, rows: list[Metrics], data: st.DataObject
) -> None:
    """As after a kill: the trial goes back to a step before, and says the rest again."""
    folder = RunFolder(tmp_path)
    path = folder.trial_metrics("0000")
    path.unlink(missing_ok=True)
    rows = [row for row in rows if row.step > 0]
    MetricsFiles(folder).measured(TRIAL, rows)
    assert read_metrics(path) == rows
    content = path.read_bytes() if rows else b""
    cut = data.draw(st.integers(0, len(content)))
    if rows:
        path.write_bytes(content[:cut])
    there = content[:cut].count(b"\n")
    back_to = data.draw(st.integers(0, there))
    files = MetricsFiles(folder)
    files.started(TRIAL)
    files.measured(TRIAL, rows[back_to:])
    assert read_metrics(path) == rows


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = RunFolder(tmp_path)
    MetricsFiles(folder).measured(TRIAL, [Metrics(step=step, train_loss=1.0) for step in (1, 2)])
    return folder.trial_metrics("0000")


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []


DAMAGE = [
    b"{",
    b"[]",
    b"",
    b"\0\0",
    b'"\xff"',
    b"[" * 100_000,
    b'{"step": "four"}',
    b'{"val_loss": 1.0}',
    b'{"step": 4, "val_loss": "low"}',
    b'{"step": 4, "tokens": [1]}',
    b'{"step": 4, "tokens": -1}',
    b'{"step": ' + b"9" * 400 + b"}",
]


@pytest.mark.parametrize("line", DAMAGE, ids=lambda line: repr(line[:30]))
def test_a_damaged_line_is_named(written: Path, line: bytes) -> None:
    first, second = written.read_bytes().splitlines()
    written.write_bytes(b"\n".join([first, line, second]) + b"\n")
    with pytest.raises(RunFolderError, match=r"0000/metrics\.jsonl:2: damaged line of metrics"):
        read_metrics(written)


def test_any_field_that_is_anything_else_is_fine_or_its_line_is_named(written: Path) -> None:
    first, second = written.read_bytes().splitlines()
    wrong: list[Any] = [None, "x", "", True, -1, 10**400, 1.5, float("inf"), [], {}, [[]]]
    for name in Metrics.__dataclass_fields__:
        for value in wrong:
            changed = json.dumps(json.loads(first) | {name: value}).encode()
            written.write_bytes(b"\n".join([changed, second]) + b"\n")
            try:
                read_metrics(written)
            except RunFolderError as error:
                assert f"metrics.jsonl:1: damaged line of metrics ({name}" in str(error)
