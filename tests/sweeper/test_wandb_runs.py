"""What reaches Weights & Biases, read back from its offline files."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import WandbError
from sweeper.run_folder import RunFolder, create_run_folder
from sweeper.sweep import Metrics, Trial
from sweeper.wandb_runs import WandbRuns, require_login
from sweeper.watchers import MetricsFiles
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.in_process import opened

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own


def reports(trial: Trial) -> list[Metrics]:
    return [r.to_dict() for r in ClosedFormTrainer(trial.config, num_threads=1).train() if r]


def offline_records(folder: RunFolder) -> list[Any]:
    """The records of every offline run file under a run folder, in order of time."""
    from wandb.proto import wandb_internal_pb2

    records = []
    for path in sorted(folder.wandb.glob("offline-run-*/*.wandb")):
        for data in log_entries(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            records.append(record)
    return records


def log_entries(content: bytes) -> Iterator[bytes]:
    """LevelDB's log format, which these files have (after a header of 7 bytes): blocks of 32 KiB
    of pieces, each with checksum, length and type (1 whole, 2 first, 3 middle, 4 last)."""
    block, entry, position = 32768, b"", 7
    while position + 7 <= len(content):
        if block - position % block < 7:  # too little for a header: padding
            position += block - position % block
            continue
        length, kind = struct.unpack("<HB", content[position + 4 : position + 7])
        entry += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield entry
            entry = b""


def history(records: list[Any], key: str) -> list[str]:
    return [
        item.value_json
        for record in records
        if record.WhichOneof("record_type") == "history"
        for item in record.history.item
        if (item.key or "/".join(item.nested_key)) == key
    ]


def test_one_run_a_trial_and_no_step_twice_after_a_resume(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    for session, rows in (("first", slice(0, 2)), ("resumed", slice(1, 4))):
        with opened(folder, plan) as sweep:
            trial = sweep.next_trial()
            assert trial is not None
            files, runs = MetricsFiles(folder), WandbRuns(sweep, "offline")
            sweep.start(trial.trial_id)
            for watcher in (files, runs):
                watcher.started(trial)
            for report in reports(trial)[rows]:
                sweep.report(trial.trial_id, report)
                for watcher in (files, runs):
                    watcher.reported(trial, [report])
            if session == "resumed":
                sweep.end(trial.trial_id)
                runs.ended(trial)
            runs.close(sweep)
    records = offline_records(folder)
    started = [r.run for r in records if r.WhichOneof("record_type") == "run"]
    assert len({run.run_id for run in started}) == 1
    assert {run.run_group for run in started} == {"tiny"}
    assert started[0].display_name.startswith("0000 learning_rate ")
    config = {item.key: item.value_json for item in started[0].config.update}
    assert config["d_model"] == "16"
    assert [int(step) for step in history(records, "step")] == [4, 8, 12, 16]
    losses = [float(value) for value in history(records, "val_loss")]
    assert losses == [report["val_loss"] for report in reports(trial)]
    summaries = [r.summary for r in records if r.WhichOneof("record_type") == "summary"]
    status = [i.value_json for s in summaries for i in s.update if i.key == "status"]
    assert status[-1] == f'"{trial.status.value}"'


def test_online_without_a_key_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(WandbError, match="--wandb online: no API key"):
        require_login("online")
    require_login("offline")
