from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweeper.corpus.reading.documents import DocumentReader
from sweeper.corpus.reading.inputs import find_files
from trainable.errors import DataError


def read(path: Path, text_field: str = "text") -> list[bytes]:
    return list(DocumentReader(find_files([str(path)], path.parent), text_field=text_field))


def unchecked(texts: Sequence[bytes]) -> pa.Array:
    """A column that is said to be text, whatever its bytes are."""
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_parquet_gives_its_column_in_order(tmp_path: Path, kind: pa.DataType) -> None:
    texts = [f"row {number} é" for number in range(1000)]
    column = pa.array([*texts, None]).cast(kind)
    table = pa.table({"id": range(1001), "body": column})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    assert [text.decode() for text in read(tmp_path / "a.parquet", "body")] == texts


def test_parquet_without_rows_has_no_documents(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    reader = DocumentReader(find_files([str(tmp_path)], tmp_path), text_field="text")
    assert list(reader) == []
    ((_, source),) = reader.sources
    assert source.bytes == (tmp_path / "a.parquet").stat().st_size


def test_parquet_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1], "body": ["x"]}), path)
    with pytest.raises(DataError, match=r"a\.parquet: no column 'text'; there are: id, body; "):
        read(path)
    with pytest.raises(DataError, match=r"a\.parquet: column 'id' must be text, it is int64"):
        read(path, "id")
    pq.write_table(pa.table({}), path)
    with pytest.raises(DataError, match=r"a\.parquet: no column 'text', and no other; leave the"):
        read(path)
    path.write_bytes(b"not parquet, though it is long enough to have a footer")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet: "):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet: .* 0 bytes"):
        read(path)


@pytest.mark.parametrize("dictionary", [True, False])
def test_text_that_is_not_utf8_is_named_by_its_row(tmp_path: Path, dictionary: bool) -> None:
    column = unchecked([b"good", b"caf\xc3\xa9"] * 50 + [b"caf\xe9 au lait"])
    table = pa.table({"text": column})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=dictionary, row_group_size=40)
    with pytest.raises(
        DataError, match=r"a\.parquet: row 101: column 'text': byte 3 of the text is not UTF-8; "
    ):
        read(tmp_path / "a.parquet")


def test_two_columns_of_one_name_are_refused_where_they_are_asked_for(tmp_path: Path) -> None:
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    table = pa.Table.from_arrays(columns, names=["text", "text", "body"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: 2 columns are called 'text'; rename one"):
        read(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "body") == [b"c"]


def test_a_column_with_a_dot_in_its_name_is_no_part_of_another(tmp_path: Path) -> None:
    table = pa.table({"a": [{"b": "nested"}], "a.b": ["flat"], "text": ["x"]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "a.b") == [b"flat"]
    with pytest.raises(DataError, match=r"column 'a' must be text, it is struct<b: string>"):
        read(tmp_path / "a.parquet", "a")
    with pytest.raises(DataError, match=r"no column 'a\.c'; there are: a, a\.b, text;"):
        read(tmp_path / "a.parquet", "a.c")


@pytest.mark.parametrize(
    "column",
    [[["x"]], [b"x"], [None], [True], pa.array(["x"]).cast(pa.binary_view())],
    ids=["list", "binary", "null", "bool", "binary_view"],
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, column: object) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: column 'text' must be text, it is "):
        read(tmp_path / "a.parquet")


def test_very_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    pq.write_table(pa.table({f"c{n}": [1] for n in range(1000)}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"there are: c0, c1, .* and 980 more; name one with"):
        read(tmp_path / "a.parquet")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(1000)]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for size in (3, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.parquet").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.parquet: cannot be read"):
            read(tmp_path / "a.parquet")
