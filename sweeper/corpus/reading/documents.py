"""Reading documents from files as a stream: text, JSON lines, Parquet, Arrow.

A document is a `bytes` of valid UTF-8. No file is ever held in memory as a whole.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator

from sweeper.corpus.reading.arrow import arrow_rows
from sweeper.corpus.reading.inputs import InputFile, Source
from sweeper.corpus.reading.json_lines import json_texts, refuse_records
from sweeper.corpus.reading.left_out import LeftOut, Tally
from sweeper.corpus.reading.parquet import parquet_rows
from sweeper.corpus.reading.pieces import documents_in
from trainable.errors import DataError

FIRST_BLOCK_BYTES = 1 << 20  # a file that is no text within them can still be left out
BLOCK_BYTES = 1 << 16  # with larger ones the C library's heap grows with the file
MAX_LINE_BYTES = 1 << 28  # of JSON, which takes several times its size to be read
SNIFFED_BYTES = 8000  # as git does: a NUL this early is a binary file
BOM = b"\xef\xbb\xbf"

# How a packed file begins, and what unpacks it.
PACKED = {
    rb"\x1f\x8b": "gunzip --keep",
    rb"BZh[1-9]1AY&SY": "bunzip2 --keep",
    rb"\xfd7zXZ\0": "unxz --keep",
    rb"\x28\xb5\x2f\xfd": "unzstd",
    rb"PK\x03\x04": "unzip",
}


class NotText(DataError):
    """A file that is not UTF-8 text."""


class DocumentReader:
    """One pass over the documents of `files`.

    `place` says where the newest document stands. When the pass is over, `sources` says what was
    read, and `skipped` and `left_out` what was not.
    """

    def __init__(
        self,
        files: Iterable[InputFile],
        *,
        text_field: str,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.files = files
        self.text_field = text_field
        self.on_bytes = on_bytes
        self.place = ""
        self.sources: list[tuple[InputFile, Source]] = []
        self.skipped: list[InputFile] = []
        self.left_out = Tally()

    def __iter__(self) -> Iterator[bytes]:
        """Raises:
        DataError: a file that cannot be read as what it is, or has no such field.
        """
        for file in self.files:
            raw = RawFile(file, self.on_bytes)
            self.place = file.name
            try:
                yield from self._documents(file, raw)
            except OSError as error:
                raise DataError(
                    f"{file.name}: cannot be read: {error.strerror or error}"
                ) from error
            except NotText:
                # Far into a file its first documents are written already: too late to skip it.
                if file.folder is None or raw.num_blocks > 1:
                    raise
                self.skipped.append(file)
                self.left_out[LeftOut.not_text] += 1
                self.on_bytes(file.num_bytes - raw.num_bytes)
            else:
                self.sources.append((file, raw.source()))

    def _documents(self, file: InputFile, raw: "RawFile") -> Iterator[bytes]:
        match file.path.suffix.lower():
            case ".jsonl" | ".ndjson":
                lines = raw.lines()
                for text in json_texts(lines, file.name, self.text_field, self.left_out):
                    self.place = f"{file.name}:{raw.num_lines}"
                    yield from self._in_blocks([text])
            case ".parquet" | ".arrow" as suffix:
                raw.hash_whole()  # its pages are read out of order
                rows_of = parquet_rows if suffix == ".parquet" else arrow_rows
                for rows in rows_of(file.path, file.name, self.text_field):
                    for number, value in enumerate(rows.texts, rows.first):
                        self.place = f"{file.name}: row {number}"
                        yield from self._in_blocks([value or b""])
                    raw.advance_to(rows.share)
                raw.advance_to(1.0)
            case suffix:
                if suffix == ".json":
                    self._refuse_records(file)
                yield from self._in_blocks(text_blocks(raw.blocks(), file.name))

    def _refuse_records(self, file: InputFile) -> None:
        with file.path.open("rb") as stream:
            start = stream.read(FIRST_BLOCK_BYTES)
        refuse_records(start, file.name, self.text_field, is_named=file.folder is None)

    def _in_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        is_empty = True
        for document in documents_in(map(self._counted, blocks)):
            is_empty = False
            yield document
        self.left_out[LeftOut.empty] += is_empty

    def _counted(self, block: bytes) -> bytes:
        self.left_out[LeftOut.nul_bytes] += block.count(b"\0")
        return block


class RawFile:
    """A file's bytes, hashed and counted as they go by."""

    def __init__(self, file: InputFile, on_bytes: Callable[[int], None]) -> None:
        self.file = file
        self.on_bytes = on_bytes
        self.digest = hashlib.sha256()
        self.num_bytes = 0
        self.num_blocks = 0
        self.num_lines = 0

    def blocks(self) -> Iterator[bytes]:
        with self.file.path.open("rb", buffering=0) as stream:
            size = FIRST_BLOCK_BYTES
            while block := stream.read(size):
                yield self._seen(block)
                size = BLOCK_BYTES

    def lines(self) -> Iterator[bytes]:
        """Raises:
        DataError: a line that would not fit in memory.
        """
        with self.file.path.open("rb", buffering=FIRST_BLOCK_BYTES) as stream:
            while line := stream.readline(MAX_LINE_BYTES):
                self.num_lines += 1
                if len(line) == MAX_LINE_BYTES:
                    raise DataError(
                        f"{self.file.name}:{self.num_lines}: longer than {MAX_LINE_BYTES:,} bytes; "
                        "a .jsonl file holds one JSON object a line"
                    )
                yield self._seen(line)

    def hash_whole(self) -> None:
        with self.file.path.open("rb") as stream:
            self.digest = hashlib.file_digest(stream, "sha256")

    def advance_to(self, share: float) -> None:
        num_bytes = round(share * self.file.num_bytes)
        self.on_bytes(num_bytes - self.num_bytes)
        self.num_bytes = num_bytes

    def source(self) -> Source:
        return Source(path=self.file.name, bytes=self.num_bytes, sha256=self.digest.hexdigest())

    def _seen(self, data: bytes) -> bytes:
        self.digest.update(data)
        self.num_bytes += len(data)
        self.num_blocks += 1
        self.on_bytes(len(data))
        return data


def text_blocks(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The same text in blocks that end between characters, without a byte order mark.

    Raises:
        NotText: bytes that are not UTF-8, or a NUL near the beginning.
    """
    offset, carry = 0, b""
    for block in blocks:
        data = carry + block
        if offset == 0:
            _refuse_binary(data, name)
        try:
            data.decode()
            end = len(data)
        except UnicodeDecodeError as error:
            # A character that the block cuts in two is completed by the next one.
            if error.reason != "unexpected end of data":
                raise _not_utf8(name, offset + error.start) from error
            end = error.start
        yield data[:end].removeprefix(BOM) if offset == 0 else data[:end]
        carry = data[end:]
        offset += end
    if carry:
        raise _not_utf8(name, offset)


def _refuse_binary(start: bytes, name: str) -> None:
    for beginning, unpack in PACKED.items():
        if re.match(beginning, start):
            raise NotText(f"{name}: is packed; unpack it first: {unpack} {shlex.quote(name)}")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText(
            f"{name}: is UTF-16, not UTF-8; convert it: "
            f"iconv -f utf-16 -t utf-8 {shlex.quote(name)} > text.txt"
        )
    if b"\0" in start[:SNIFFED_BYTES]:
        raise NotText(f"{name}: is a binary file; prepare reads text, .jsonl and .parquet")


def _not_utf8(name: str, offset: int) -> NotText:
    return NotText(
        f"{name}: byte {offset:,} is not UTF-8; if the text is in another encoding, convert it: "
        f"iconv -f latin1 -t utf-8 {shlex.quote(name)} > text.txt"
    )
