"""Arrow files as Hugging Face's `datasets` writes them: a stream of batches, and beside it what
describes the table."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sweeper.corpus.reading.documents import DocumentReader
from sweeper.corpus.reading.inputs import find_files
from trainable.errors import DataError

TEXTS = [f"row {number} é" for number in range(500)]


def table() -> pa.Table:
    return pa.table({"id": range(501), "text": [*TEXTS, None]})


def save_to_disk(folder: Path, rows: pa.Table) -> None:
    """As `datasets.Dataset.save_to_disk` leaves a folder, in two shards."""
    folder.mkdir(parents=True)
    half = len(rows) // 2
    names = [f"data-{number:05d}-of-00002.arrow" for number in range(2)]
    for name, part in zip(names, (rows[:half], rows[half:]), strict=True):
        with pa.ipc.new_stream(str(folder / name), rows.schema) as writer:
            writer.write_table(part, max_chunksize=100)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))
    (folder / "cache-1f2e.arrow").write_bytes(b"of some computation")


def read(path: Path) -> list[str]:
    reader = DocumentReader(find_files([str(path)], path.parent), text_field="text")
    return [document.decode() for document in reader]


def test_a_saved_dataset_gives_its_texts_in_order(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "saved", table())
    assert read(tmp_path / "saved") == TEXTS


def test_of_several_splits_each_is_a_folder(tmp_path: Path) -> None:
    for split, rows in (("test", table()[:3]), ("train", table()[3:])):
        save_to_disk(tmp_path / "saved" / split, rows)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    assert read(tmp_path / "saved" / "train") == TEXTS[3:]
    assert read(tmp_path / "saved") == TEXTS


def test_the_file_format_is_read_as_the_stream_is(tmp_path: Path) -> None:
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table().schema) as writer:
        writer.write_table(table(), max_chunksize=64)
    assert read(tmp_path / "a.arrow") == TEXTS


def test_json_of_others_is_text_as_before(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "dataset_info.json").write_text("{}")
    assert read(tmp_path / "texts") == ["{}"]


@pytest.mark.parametrize("kept", [0, 3, 100, 2000])
def test_what_is_cut_short_or_no_arrow_is_told(tmp_path: Path, kept: int) -> None:
    save_to_disk(tmp_path / "saved", table())
    whole = (tmp_path / "saved" / "data-00000-of-00002.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(whole[:kept])
    with pytest.raises(DataError, match=r"a\.arrow: cannot be read as Arrow"):
        read(tmp_path / "a.arrow")


def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "saved", table().rename_columns(["id", "body"]))
    with pytest.raises(DataError, match=r"arrow: no column 'text'; there are: id, body; name one"):
        read(tmp_path / "saved")
