"""Text to a folder of tokens: read, split, tokenize, write; all or nothing."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import appearing_in_bucket
from sweeper.corpus.meta import Meta, SetMeta
from sweeper.corpus.progress import (
    ENOUGH_TEXTS,
    print_summary,
    stage,
    tell_meanwhile,
    thin_validation,
)
from sweeper.corpus.reading.documents import DocumentReader
from sweeper.corpus.reading.inputs import (
    InputFile,
    Source,
    check_inputs_exist,
    find_files,
    stdlib_files,
)
from sweeper.corpus.reading.left_out import Tally, sentences
from sweeper.corpus.reading.names import printable
from sweeper.corpus.split import Split, position, sample_documents, split_documents
from sweeper.corpus.staging import appearing, refuse_existing
from sweeper.corpus.tokens.token_file import TokenFile, file_sha256
from sweeper.corpus.tokens.tokenization import (
    ByteEncoder,
    Bytes,
    Encoder,
    LibraryEncoder,
    Loaded,
    TokenizerSpec,
    TrainBPE,
    UnspeakableError,
    dtype_for,
    parse_tokenizer,
    train_bpe,
    vocab_size,
)
from sweeper.record.buckets.addresses import is_address
from trainable.errors import DataError
from trainable.validation_sets import is_name, set_file

DEFAULT_TOKENIZER = "bytes"
DEFAULT_VAL_FRACTION = 0.05
DEFAULT_TEXT_FIELD = "text"
NONE: Mapping[str, Sequence[str]] = MappingProxyType({})
ANOTHER = "take another, as --tokenizer bytes or bpe:4096"
MAX_LISTED_FILES = 10_000  # of one folder in meta.json; above, the folder is one entry


def prepare(
    inputs: Sequence[str],
    out: Path | str,
    *,
    tokenizer: str = DEFAULT_TOKENIZER,
    val_fraction: float = DEFAULT_VAL_FRACTION,
    text_field: str = DEFAULT_TEXT_FIELD,
    val_sets: Mapping[str, Sequence[str]] = NONE,
    console: Console | None = None,
) -> Meta:
    """Turn text into the folder `out`, which appears complete or not at all.

    Args:
        inputs: files, folders, or `-`; none means the Python standard library's sources.
        out: must not exist yet (or be empty): nothing is ever overwritten. Or an address in a
            bucket.
        tokenizer: `bytes`, `bpe:VOCAB`, `tiktoken:NAME`, or the path of a tokenizer.json.
        val_fraction: the share of documents for validation, between 0 and 1.
        text_field: the field of a .jsonl, the column of a .parquet.
        val_sets: further validation sets, by name: the inputs of each.
        console: shows progress and a summary; None shows nothing.

    Raises:
        DataError: a setting, an input or the output cannot be used.
        OSError: the folder is there, and its summary cannot be written.
    """
    _check_settings(val_fraction, text_field)
    spec = parse_tokenizer(tokenizer)
    for name, of_set in val_sets.items():
        if not is_name(name):
            raise DataError(
                f"--val: {printable(name)}: a set is named by letters, digits and _ (ema is "
                "taken); as --val code=my_code/"
            )
        check_inputs_exist(of_set)
    check_inputs_exist(inputs)
    left_out = Tally()
    try:
        with _output(out) as (folder, scratch):
            job = _Job(
                files=_files(inputs, scratch, left_out),
                val_sets={n: _files(of, scratch, left_out) for n, of in val_sets.items()},
                tokenizer=tokenizer,
                spec=spec,
                val_fraction=val_fraction,
                text_field=text_field,
                console=console,
            )
            written = job.write(CorpusFolder(folder))
    except OSError as error:
        name = printable(str(out))
        raise DataError(f"--out: {name}: cannot be written: {error.strerror or error}") from error
    if console is not None:
        notes = sentences(left_out + written.left_out)
        print_summary(console, written.meta, out, warnings=written.warnings, notes=notes)
    return written.meta


def _output(out: Path | str) -> AbstractContextManager[tuple[Path, Path]]:
    if is_address(str(out)):
        return appearing_in_bucket(str(out))
    path = Path(os.path.expanduser(out))  # no shell expands --out=~/data
    refuse_existing(path)
    return appearing(path)


def _check_settings(val_fraction: float, text_field: str) -> None:
    if not 0 < val_fraction < 1:
        raise DataError(
            f"--val_fraction: must be above 0 and below 1, got {val_fraction:g}; for example 0.05"
        )
    try:
        text_field.encode()
    except UnicodeEncodeError:
        raise DataError(f"--text_field: {printable(text_field)}: is not UTF-8") from None


def _files(inputs: Sequence[str], scratch: Path, left_out: Tally) -> list[InputFile]:
    if not inputs:
        return stdlib_files()
    return find_files(inputs, scratch, marks=frozenset(CorpusFolder.NAMES), left_out=left_out)


_WrittenSet = tuple[TokenFile, DocumentReader]


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A complete folder, and what there is to say about it."""

    meta: Meta
    warnings: list[str]
    left_out: Tally


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One preparation: the passes over the files that its tokenizer needs."""

    files: list[InputFile]
    val_sets: Mapping[str, list[InputFile]]
    tokenizer: str
    spec: TokenizerSpec
    val_fraction: float
    text_field: str
    console: Console | None

    def write(self, folder: CorpusFolder) -> _Written:
        encoder = self.encoder()
        dtype = dtype_for(vocab_size(encoder.tokenizer))
        val_texts: set[float] = set()  # by their hashes
        try:
            with (
                TokenFile(folder.train, encoder, dtype) as train,
                TokenFile(folder.val, encoder, dtype) as val,
                self.pass_over("Tokenizing") as (reader, documents),
            ):
                for side, document in documents:
                    (val if side is Split.val else train).add(document)
                    if side is Split.val and len(val_texts) < ENOUGH_TEXTS:
                        val_texts.add(position(document))
            sets = {
                name: self.write_set(set_file(folder.val, name), name, encoder)
                for name in self.val_sets
            }
        except UnspeakableError as error:
            raise DataError(f"{self.place_of(error.document)}: {error}; {ANOTHER}") from error
        for side, written in ((Split.train, train), (Split.val, val)):
            self.require_text(encoder, written, f"on the {side} side")
        folder.tokenizer.write_text(encoder.tokenizer.to_str(pretty=True), encoding="utf-8")
        meta = self.describe(encoder, reader, train, val, sets)
        meta.write(folder)
        warnings = [*encoder.losses(), *thin_validation(meta, len(val_texts))]
        left_out = sum((of_set.left_out for _, of_set in sets.values()), reader.left_out)
        return _Written(meta=meta, warnings=warnings, left_out=left_out)

    def write_set(self, path: Path, name: str, encoder: Encoder) -> _WrittenSet:
        dtype = dtype_for(vocab_size(encoder.tokenizer))
        label = f"Tokenizing the validation set {name}"
        with (
            TokenFile(path, encoder, dtype) as written,
            self.reading(label, self.val_sets[name]) as reader,
        ):
            for document in reader:
                written.add(document)
        self.require_text(encoder, written, f"of the validation set {name}")
        return written, reader

    def require_text(self, encoder: Encoder, written: TokenFile, where: str) -> None:
        if not written.num_documents:
            raise DataError(f"the inputs {where} hold no text; name files with text in them")
        if written.num_tokens == (0 if encoder.separator is None else written.num_documents):
            raise DataError(
                f"--tokenizer: {printable(self.tokenizer)}: has no token for any of the text "
                f"{where}; {ANOTHER}"
            )

    def place_of(self, document: bytes) -> str:
        """Where a document, or a part of one, stands in the inputs."""
        files = [*self.files, *chain.from_iterable(self.val_sets.values())]
        reader = DocumentReader(files, text_field=self.text_field)
        return next((reader.place for found in reader if document in found), "the text")

    def describe(
        self,
        encoder: Encoder,
        reader: DocumentReader,
        train: TokenFile,
        val: TokenFile,
        sets: Mapping[str, _WrittenSet],
    ) -> Meta:
        size = vocab_size(encoder.tokenizer)
        arrays = (train, val, *(written for written, _ in sets.values()))
        return Meta(
            vocab_size=size,
            dtype=dtype_for(size),
            separator=encoder.separator,
            tokenizer=printable(self.tokenizer),
            bytes_per_token=val.num_bytes / val.num_tokens,
            train_tokens=train.num_tokens,
            val_tokens=val.num_tokens,
            train_bytes=train.num_bytes,
            val_bytes=val.num_bytes,
            documents=train.num_documents + val.num_documents,
            val_documents=val.num_documents,
            val_fraction=self.val_fraction,
            text_field=printable(self.text_field),
            sha256={written.path.name: file_sha256(written.path) for written in arrays},
            sources=listed(reader.sources),
            skipped_files=len(reader.skipped),
            val_sets={
                name: SetMeta(
                    tokens=written.num_tokens,
                    bytes=written.num_bytes,
                    documents=written.num_documents,
                    sources=listed(of_set.sources),
                )
                for name, (written, of_set) in sets.items()
            },
        )

    def encoder(self) -> Encoder:
        match self.spec:
            case Bytes():
                return ByteEncoder()
            case Loaded(tokenizer):
                return LibraryEncoder(tokenizer)
            case TrainBPE(size):
                with self.pass_over("Sampling text for the tokenizer") as (_, documents):
                    sample = sample_documents(
                        text for side, text in documents if side is Split.train
                    )
                if self.console is not None:
                    tell_meanwhile(self.console, f"Training a BPE of {size:,} tokens")
                return LibraryEncoder(train_bpe(sample, size), is_whole=True)

    @contextmanager
    def pass_over(
        self, label: str
    ) -> Iterator[tuple[DocumentReader, Iterator[tuple[Split, bytes]]]]:
        with self.reading(label, self.files) as reader:
            yield reader, split_documents(reader, self.val_fraction)

    @contextmanager
    def reading(self, label: str, files: Sequence[InputFile]) -> Iterator[DocumentReader]:
        num_bytes = sum(file.num_bytes for file in files)
        with stage(label, num_bytes, self.console) as shown:
            yield DocumentReader(files, text_field=self.text_field, on_bytes=shown.advance)


def listed(sources: list[tuple[InputFile, Source]]) -> list[Source]:
    """The sources as meta.json lists them. A folder of very many files is one entry; its hash is
    that of the lines that `sha256sum` prints for its files."""
    entries: list[Source] = []
    for folder, group in groupby(sources, key=lambda pair: pair[0].folder):
        files = [source for _, source in group]
        if folder is None or len(files) <= MAX_LISTED_FILES:
            entries += files
            continue
        lines = "".join(f"{file.sha256}  {file.path}\n" for file in files)
        entries.append(
            Source(
                path=folder,
                bytes=sum(file.bytes for file in files),
                sha256=hashlib.sha256(lines.encode()).hexdigest(),
                files=len(files),
            )
        )
    return entries
