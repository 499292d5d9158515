"""Reading documents from files as a stream: text, JSON lines, Parquet.

A document is a `bytes` of valid UTF-8. No file is ever held in memory as a whole.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sweeper.corpus.meta import Source
from sweeper.corpus.reading.inputs import InputFile
from sweeper.corpus.reading.parquet import parquet_batches
from sweeper.corpus.reading.pieces import documents_in
from trainable.errors import DataError

BLOCK_BYTES = 1 << 20
SNIFFED_BYTES = 8000  # as git does: a NUL this early is a binary file
BOM = b"\xef\xbb\xbf"


class NotText(DataError):
    """A file that is not UTF-8 text."""


class DocumentReader:
    """One pass over the documents of `files`.

    When it is exhausted, `sources` says what was read and `skipped` what was passed over: files
    in folders that are not UTF-8 text.
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
        self.sources: list[tuple[InputFile, Source]] = []
        self.skipped: list[InputFile] = []

    def __iter__(self) -> Iterator[bytes]:
        """Raises:
        DataError: a file that cannot be read as what it is, or has no such field.
        """
        for file in self.files:
            raw = RawFile(file, self.on_bytes)
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
                self.on_bytes(file.num_bytes - raw.num_bytes)
            else:
                self.sources.append((file, raw.source()))

    def _documents(self, file: InputFile, raw: "RawFile") -> Iterator[bytes]:
        match file.path.suffix.lower():
            case ".jsonl" | ".ndjson":
                for text in json_texts(raw.lines(), file.name, self.text_field):
                    yield from documents_in([text])
            case ".parquet":
                raw.hash_whole()  # its pages are read out of order
                for texts, share in parquet_batches(file.path, file.name, self.text_field):
                    for text in texts:
                        yield from documents_in([text])
                    raw.advance_to(share)
                raw.advance_to(1.0)
            case _:
                yield from documents_in(text_blocks(raw.blocks(), file.name))


class RawFile:
    """A file's bytes, hashed and counted as they go by."""

    def __init__(self, file: InputFile, on_bytes: Callable[[int], None]) -> None:
        self.file = file
        self.on_bytes = on_bytes
        self.digest = hashlib.sha256()
        self.num_bytes = 0
        self.num_blocks = 0

    def blocks(self) -> Iterator[bytes]:
        with self.file.path.open("rb", buffering=0) as stream:
            while block := stream.read(BLOCK_BYTES):
                yield self._seen(block)

    def lines(self) -> Iterator[bytes]:
        with self.file.path.open("rb", buffering=BLOCK_BYTES) as stream:
            for line in stream:
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
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText(
            f"{name}: is UTF-16, not UTF-8; convert it: iconv -f utf-16 -t utf-8 {name} > text.txt"
        )
    if b"\0" in start[:SNIFFED_BYTES]:
        raise NotText(
            f"{name}: is a binary file; prepare reads text, .jsonl and .parquet "
            "(unpack compressed files first, or pipe them: zcat text.gz | … prepare -)"
        )


def _not_utf8(name: str, offset: int) -> NotText:
    return NotText(
        f"{name}: byte {offset:,} is not UTF-8; if the text is in another encoding, convert it: "
        f"iconv -f latin1 -t utf-8 {name} > text.txt"
    )


def json_texts(lines: Iterable[bytes], name: str, text_field: str) -> Iterator[bytes]:
    """The text field of each line; blank lines and null texts are left out.

    Raises:
        DataError: naming file and line, where a line is not an object with that text.
    """
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        text = _text_of(line, f"{name}:{number}", text_field)
        if text is not None:
            yield text


def _text_of(line: bytes, where: str, text_field: str) -> bytes | None:
    try:
        record: Any = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start:,} of the line is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not JSON: {error.msg} at column {error.colno}; "
            "a .jsonl file holds one JSON object a line"
        ) from error
    if not isinstance(record, dict):
        raise DataError(
            f"{where}: must be a JSON object with the text in '{text_field}', "
            f"got {line.decode('utf-8-sig').strip()[:40]}"
        )
    if text_field not in record:
        raise DataError(
            f"{where}: no field '{text_field}'; there are: "
            f"{', '.join(map(str, record)) or 'none'}; name one with --text_field"
        )
    text = record[text_field]
    if text is None:
        return None
    if not isinstance(text, str):
        raise DataError(
            f"{where}: field '{text_field}' must be text, got {text!r:.40}; "
            "name another with --text_field"
        )
    return _encoded(text)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair (a scraper cut an emoji in two): U+FFFD stands in.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
