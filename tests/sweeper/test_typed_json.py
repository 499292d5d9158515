"""Small files beside the journal: whatever one has become, it is read as none, or named."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import WandbError
from sweeper.record.exhibits.load import read_loads
from sweeper.record.exhibits.texts import read_texts
from sweeper.record.progress import Progress, read_progress
from sweeper.record.run_folder import RunFolder
from sweeper.record.stores.contents import Copied
from sweeper.record.submission.attempts import read_attempts
from sweeper.runtime.trainers.saved import Kept
from sweeper.views.trackers.wandb_mirror import _read_logged
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics

ATTEMPT: dict[str, Any] = {"number": 1, "job": "a", "by_hand": True, "sessions": 0, "work": 0}
DAMAGED = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"step": 1e999, "metrics": []}',
    b'{"step": -3, "metrics": []}',
    b'{"step": "3", "metrics": []}',
    b'{"step": 9223372036854775808, "metrics": []}',
    b'{"step": ' + b"9" * 5000 + b', "metrics": []}',
    b'{"prompt": "", "temperature": NaN, "texts": []}',
    b'{"prompt": "", "temperature": 1, "texts": [{"trial_id": "0", "step": 1e999, "written": ""}]}',
    b'{"time": "2026-01-01T00:00:00", "processors": 0.5, "memory": 0.5}',  # where on the earth?
    b'{"step": 1, "path": null, "sizes": []}',
    b'{"segments": "x"}',
    b'{"0000": {"step": "x"}}',
    b'{"0000": null}',
    json.dumps(ATTEMPT | {"submitted": "yesterday"}).encode(),
    b"null",
    b"\xff",
]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:24])
def test_a_small_file_that_has_become_something_else(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(tmp_path)
    folder.attempts.mkdir()
    folder.wandb.mkdir()
    own = (tmp_path / "progress.json", folder.texts, tmp_path / ".copy.json", folder.attempt(1))
    for file in (*own, folder.load, folder.wandb_logged):
        file.write_bytes(content + b"\n")
    assert read_progress(tmp_path) is None
    assert read_texts(folder) is None
    assert read_loads(folder.load) == ()
    assert read_attempts(folder) == []
    assert Copied.read(tmp_path) == Copied()
    with pytest.raises(CheckpointError, match=r"texts\.json: damaged \("):
        Kept.read(folder.texts)
    with pytest.raises(WandbError, match=r"logged\.json: damaged \(.*\); remove it, and"):
        _read_logged(folder)


def test_a_whole_one_is_read_as_it_was_written(tmp_path: Path) -> None:
    """One of a version that knew fewer or more, too."""
    written = Progress(step=4, metrics=(Metrics(step=4, others={"wild": 1.0}),))
    written.write(tmp_path)
    assert read_progress(tmp_path) == written
    (tmp_path / "progress.json").write_text('{"step": 4, "metrics": [{"step": 2, "a": 1}], "b": 2}')
    assert read_progress(tmp_path) == Progress(step=4, metrics=(Metrics(step=2),))
