import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.corpus.reading.documents import DocumentReader, json_texts, text_blocks
from sweeper.corpus.reading.inputs import find_files
from trainable.errors import DataError

utf8 = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def read(path: Path, text_field: str = "text") -> list[bytes]:
    return list(DocumentReader(find_files([str(path)], path.parent), text_field=text_field))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@given(utf8, st.integers(1, 7))
def test_text_blocks_are_the_text_whatever_the_block_size(text: str, size: int) -> None:
    data = text.encode()
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    found = list(text_blocks(blocks, "a.txt"))
    assert b"".join(found) == data.removeprefix(b"\xef\xbb\xbf" if size > 2 else b"")
    for block in found:
        block.decode()


@given(st.lists(st.text()))
def test_json_lines_give_their_texts(texts: list[str]) -> None:
    lines = [json.dumps({"id": 1, "text": text}).encode() + b"\n" for text in texts]
    found = [text.decode() for text in json_texts(lines, "a.jsonl", "text")]
    assert found == [text.encode(errors="replace").decode() for text in texts]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    (text,) = json_texts([rb'{"text": "a\ud83dz"}'], "a.jsonl", "text")
    assert text.decode() == "a\ufffdz"


def test_blank_lines_and_nulls_are_left_out() -> None:
    lines = [b"\n", b'{"text": null}\n', b'{"text": "x"}\n']
    assert list(json_texts(lines, "a.jsonl", "text")) == [b"x"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": ', r"a\.jsonl:2: not JSON: .* at column \d+"),
        (b"[1]", r"a\.jsonl:2: must be a JSON object .*'text', got \[1\]"),
        (
            b'{"body": "x", "id": 1}',
            r"a\.jsonl:2: no field 'text'; there are: body, id; .*--t",
        ),
        (b"{}", r"a\.jsonl:2: no field 'text'; there are: none"),
        (b'{"text": 5}', r"a\.jsonl:2: field 'text' must be text, got 5; .*--text_field"),
        (b'{"text": "\xff"}', r"a\.jsonl:2: byte 10 of the line is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(line: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(json_texts([b'{"text": "good"}\n', line], "a.jsonl", "text"))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
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
    write(path, b"not parquet, though it is long enough to have a footer")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet: "):
        read(path)


def test_sources_are_named_with_sizes_and_hashes(tmp_path: Path) -> None:
    data = {"a.txt": b"text\n" * 300_000, "b.jsonl": b'{"text": "x"}\n'}
    for name, content in data.items():
        write(tmp_path / name, content)
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "c.parquet")
    data["c.parquet"] = (tmp_path / "c.parquet").read_bytes()
    counted: list[int] = []
    files = find_files([str(tmp_path)], tmp_path)
    reader = DocumentReader(files, text_field="text", on_bytes=counted.append)
    assert sum(1 for _ in reader) > 2
    assert [(one.path, one.bytes, one.sha256) for _, one in reader.sources] == [
        (str(tmp_path / name), len(content), hashlib.sha256(content).hexdigest())
        for name, content in data.items()
    ]
    assert sum(counted) == sum(map(len, data.values()))


def test_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", b"\xef\xbb\xbfhello")) == [b"hello"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF\0\0", r"a\.txt: is a binary file; .* reads text, \.jsonl and \.parquet"),
        ("text".encode("utf-16"), r"a\.txt: is UTF-16.*iconv -f utf-16 -t utf-8"),
        (b"caf\xe9 au lait", r"a\.txt: byte 3 is not UTF-8; .*iconv -f latin1"),
        (b"x" * (2 << 20) + b"\xe9 ", r"a\.txt: byte 2,097,152 is not UTF-8"),
        (b"cut off \xe2\x82", r"a\.txt: byte 8 is not UTF-8"),
    ],
)
def test_a_named_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.txt", data))


def test_files_in_folders_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.bin", b"\0\1\2")
    write(tmp_path / "b.txt", b"good")
    write(tmp_path / "c.txt", b"caf\xe9")
    counted: list[int] = []
    files = find_files([str(tmp_path)], tmp_path)
    reader = DocumentReader(files, text_field="text", on_bytes=counted.append)
    assert list(reader) == [b"good"]
    assert [file.path.name for file in reader.skipped] == ["a.bin", "c.txt"]
    assert sum(counted) == 3 + 4 + 4


def test_a_folder_file_that_stops_being_text_late_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"x" * (2 << 20) + b"\xe9 ")
    with pytest.raises(DataError, match=r"a\.txt: byte 2,097,152 is not UTF-8"):
        read(tmp_path)
