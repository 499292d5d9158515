"""What W&B's offline files hold."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.views.trackers.wandb_mirror import offline_parts


def offline_records(folder: RunFolder, run_id: str = "*") -> list[Any]:
    """The records of a run's offline files, or of all, in order of time."""
    from wandb.proto import wandb_internal_pb2

    records = []
    for path in offline_parts(folder, run_id):
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


def runs(records: list[Any]) -> set[str]:
    return {r.run.run_id for r in records if r.WhichOneof("record_type") == "run"}


def summary(records: list[Any], key: str) -> list[str]:
    """Every value that a summary's key was given, in order."""
    of_runs = [r.summary for r in records if r.WhichOneof("record_type") == "summary"]
    return [i.value_json for s in of_runs for i in s.update if i.key == key]


def told_of(records: list[Any]) -> tuple[dict[str, str], str]:
    """The config of a run as it was told last, and its name."""
    config: dict[str, str] = {}
    name = ""
    for record in records:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= {item.key: item.value_json for item in record.run.config.update}
            name = record.run.display_name or name
        elif kind == "config":
            items = record.config.update
            config |= {item.key or item.nested_key[0]: item.value_json for item in items}
    return config, name


def new_folder(tmp_path: Path, plan: Plan) -> RunFolder:
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    folder.wandb.mkdir()
    return folder
