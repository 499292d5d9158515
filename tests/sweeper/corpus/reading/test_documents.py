import bz2
import gzip
import hashlib
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.corpus.reading.documents import DocumentReader, text_blocks
from sweeper.corpus.reading.inputs import find_files
from sweeper.corpus.reading.left_out import LeftOut, sentences
from trainable.errors import DataError

utf8 = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def read(path: Path) -> list[bytes]:
    return list(DocumentReader(find_files([str(path)], path.parent), text_field="text"))


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


def zipped() -> bytes:
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("text.txt", "some text")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (gzip.compress(b"some text", mtime=1_700_000_000), "gunzip --keep"),
        (bz2.compress(b"some text"), "bunzip2 --keep"),
        (lzma.compress(b"some text"), "unxz --keep"),
        (b"\x28\xb5\x2f\xfd\x20\x09\x49\0\0some text", "unzstd"),
        (zipped(), "unzip"),
    ],
)
def test_a_packed_file_is_to_be_unpacked(tmp_path: Path, data: bytes, remedy: str) -> None:
    """Not piped in: lines of JSON would be read as text."""
    path = write(tmp_path / "my stories.jsonl.pack", data)
    with pytest.raises(DataError, match=rf"is packed; unpack it first: {remedy} '.*pack'$"):
        read(path)


def test_a_text_that_begins_as_a_packed_file_does_is_a_text(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", b"BZh is no word")) == [b"BZh is no word"]


def test_what_is_left_out_is_counted_and_told(tmp_path: Path) -> None:
    write(tmp_path / "a.bin", b"\0\1\2")
    write(tmp_path / "b.txt", b"")
    write(tmp_path / "c.txt", b"x" * 9000 + b"\0y\0")
    lines = [b'{"text": null}', b'{"text": " "}', b"", rb'{"text": "\ud83d \ude0a \u0000"}']
    write(tmp_path / "d.jsonl", b"\n".join(lines))
    pq.write_table(pa.table({"text": ["x", None, "", "\n"]}), tmp_path / "e.parquet")
    reader = DocumentReader(find_files([str(tmp_path)], tmp_path), text_field="text")
    assert len(list(reader)) == 3
    assert reader.left_out == {
        LeftOut.not_text: 1,
        LeftOut.empty: 1 + 2 + 3,
        LeftOut.nul_bytes: 3,
        LeftOut.half_pairs: 2,
    }
    told = sentences(reader.left_out)
    assert "dropped: 3 × a NUL byte" in told and len(told) == 4


def test_a_reader_knows_where_a_document_stands(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"one<|endoftext|>two")
    write(tmp_path / "b.jsonl", b'\n{"text": "three"}\n{"text": null}\n{"text": "four"}')
    pq.write_table(pa.table({"text": [None] * 100 + ["five"]}), tmp_path / "c.parquet")
    reader = DocumentReader(find_files([str(tmp_path)], tmp_path), text_field="text")
    places = {document: reader.place.removeprefix(f"{tmp_path}/") for document in reader}
    assert places == {
        b"one": "a.txt",
        b"two": "a.txt",
        b"three": "b.jsonl:2",
        b"four": "b.jsonl:4",
        b"five": "c.parquet: row 101",
    }


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", b"one\r\ntwo\r")) == [b"one\r\ntwo\r"]
    assert read(write(tmp_path / "a.jsonl", b'{"text": "one"}\r\n\r\n')) == [b"one"]


def test_a_line_too_long_for_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.corpus.reading.documents.MAX_LINE_BYTES", 100)
    write(tmp_path / "a.jsonl", b'{"text": "one"}\n{"text": "' + b"x" * 200 + b'"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: longer than 100 bytes; .* one JSON object a"):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("content", "which"),
    [
        (b'[{"text": "a"}]', ".[]"),
        (b'\xef\xbb\xbf\n [\n  {"text": "a"},\n {"other": 1}]\n', ".[]"),
        (b'["a", "b"]', ".[]"),
        (b'[{"body": "' + b"x" * (1 << 21) + b'"}]', ".[]"),
        (b'{"text": "a"}\n{"text": "b"}\n', "."),
        (b'{\n "text": "a"\n}', "."),
    ],
)
def test_documents_in_a_json_file_are_refused_with_what_makes_them_readable(
    tmp_path: Path, content: bytes, which: str
) -> None:
    path = write(tmp_path / "a b.json", content)
    with pytest.raises(DataError, match=r"a b\.json: is JSON, of which prepare reads an obj") as e:
        read(path)
    assert str(e.value).endswith(f"jq -c '{which}' '{path}' > '{tmp_path}/a b.jsonl'")


@pytest.mark.parametrize(
    "content",
    [b"[1, 2]", b"[]", b"", b"{", b'{"name": "x"}\n', b"[" * 100_000, b"[no JSON", b"plain text"],
)
def test_any_other_json_file_is_text(tmp_path: Path, content: bytes) -> None:
    documents = read(write(tmp_path / "a.json", content))
    assert b"".join(documents) == content
    write(tmp_path / "package.json", b'[{"name": "text"}]')
    in_folder = DocumentReader(find_files([str(tmp_path)], tmp_path), text_field="text")
    assert b'[{"name": "text"}]' in list(in_folder), "settings in a folder of source code"
    write(tmp_path / "rows.json", b'[{"text": "a"}]')
    with pytest.raises(DataError, match=r"rows\.json: is JSON, of which"):
        list(DocumentReader(find_files([str(tmp_path)], tmp_path), text_field="text"))
