"""Text to token ids: bytes, a BPE trained here, or a tokenizer from a file.

Whatever makes the ids, `tokenizer.json` describes it to the `tokenizers` library (and so to
transformers) with the same ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from sweeper.corpus.reading.names import printable, shortened
from sweeper.corpus.tokens.coverage import Coverage
from sweeper.corpus.tokens.tiktoken_encoding import byte_letters, published_encoding
from trainable.data.meta import END_OF_TEXT
from trainable.data.tokenizer import KNOWN_ENDS
from trainable.errors import DataError
from trainable.settings import nearest

TokenDtype = Literal["uint8", "uint16", "uint32"]
SMALLEST_BPE = 256 + 1  # the bytes and the separator
LARGEST_BPE = 2**20  # four times the largest of published models; the library takes its memory


@dataclass(frozen=True)
class Bytes:
    """`--tokenizer bytes`"""


@dataclass(frozen=True)
class TrainBPE:
    """`--tokenizer bpe:VOCAB`"""

    vocab_size: int


@dataclass(frozen=True)
class Loaded:
    """`--tokenizer path/to/tokenizer.json` or `tiktoken:NAME`, read"""

    tokenizer: Tokenizer


TokenizerSpec = Bytes | TrainBPE | Loaded


def parse_tokenizer(text: str) -> TokenizerSpec:
    """Raises:
    DataError: a text that names no tokenizer, a vocabulary that no BPE can have, or a file that
        is no tokenizer or cannot be read.
    """
    if text == "bytes":
        return Bytes()
    shown = shortened(text)
    if text.startswith("tiktoken:"):
        return Loaded(published_encoding(text.removeprefix("tiktoken:")))
    if text == "bpe" or text.startswith("bpe:"):
        size = text.removeprefix("bpe").removeprefix(":")
        is_number = size.isascii() and size.isdigit() and len(size) <= len(str(LARGEST_BPE))
        if not is_number or not SMALLEST_BPE <= int(size) <= LARGEST_BPE:
            raise DataError(
                f"--tokenizer: {shown}: the vocabulary must be a whole number of at least "
                f"{SMALLEST_BPE} (256 bytes and the separator) and at most {LARGEST_BPE}; "
                "for example bpe:4096"
            )
        return TrainBPE(int(size))
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    try:
        if path.is_file():
            return Loaded(load_tokenizer(path))
        is_folder = text != "" and path.is_dir()
    except OSError as error:
        raise DataError(f"--tokenizer: {shown}: cannot be read: {error.strerror}") from error
    if is_folder:
        file = path / "tokenizer.json"  # as transformers' save_pretrained writes it
        if not file.is_file():
            name = printable(str(file))
            raise DataError(f"--tokenizer: {shown}: is a folder without {name}; name a file")
        return Loaded(load_tokenizer(file))
    raise DataError(
        f"--tokenizer: {shown}: no such tokenizer or file; there are: bytes, bpe:VOCAB "
        "(for example bpe:4096), tiktoken:NAME (for example tiktoken:gpt2), path/to/tokenizer.json"
        f"{nearest(text, ['bytes', 'bpe:', 'tiktoken:'])}"
    )


class Encoder(Protocol):
    """Documents in, ids out, each document ended by the separator if there is one."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def separator(self) -> int | None: ...

    def encode(self, documents: Sequence[bytes]) -> NDArray[np.unsignedinteger]: ...

    def losses(self) -> list[str]:
        """Sentences about what of all text so far is not in the ids."""
        ...


class ByteEncoder:
    """The ids are the UTF-8 bytes; byte 0, which no document contains, ends each."""

    separator = 0

    def __init__(self) -> None:
        self.tokenizer = byte_tokenizer()

    def encode(self, documents: Sequence[bytes]) -> NDArray[np.unsignedinteger]:
        return np.frombuffer(b"\0".join([*documents, b""]), np.uint8)

    def losses(self) -> list[str]:
        return []


class UnspeakableError(DataError):
    """A document that the tokenizer gives up at."""

    def __init__(self, document: bytes, reason: str) -> None:
        self.document = document
        self.reason = reason
        super().__init__(f"the tokenizer has no token for some of the text: {reason}")


class LibraryEncoder:
    """The ids of a `tokenizers.Tokenizer`, without the special tokens it would add to a text."""

    def __init__(self, tokenizer: Tokenizer, *, is_whole: bool = False) -> None:
        """Args:
        is_whole: It has a token for every byte, as one trained here.
        """
        tokenizer.no_truncation()  # settings for a model's inputs, ruinous for a corpus
        tokenizer.no_padding()
        if isinstance(tokenizer.model, models.BPE):
            tokenizer.model.dropout = None  # another text at every reading
        self.tokenizer = tokenizer
        ids = map(tokenizer.token_to_id, KNOWN_ENDS)
        self.separator: int | None = next((id for id in ids if id is not None), None)
        self._dtype = dtype_for(vocab_size(tokenizer))
        self._coverage = None if is_whole else Coverage(tokenizer)

    def encode(self, documents: Sequence[bytes]) -> NDArray[np.unsignedinteger]:
        """Raises:
        UnspeakableError: the tokenizer lacks a token for a text, and an unknown one.
        """
        texts = [document.decode() for document in documents]
        end = [] if self.separator is None else [self.separator]
        parts = []
        for text, ids in zip(texts, self._ids(texts), strict=True):
            parts.append(np.array(ids + end, self._dtype))
            if self._coverage is not None:
                self._coverage.look_at(text, parts[-1][: len(ids)])
        return np.concatenate(parts)

    def losses(self) -> list[str]:
        return [] if self._coverage is None else self._coverage.sentences()

    def _ids(self, texts: list[str]) -> list[list[int]]:
        try:
            encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        except BaseException as error:
            if not is_of_the_library(error):
                raise
            if len(texts) == 1:
                raise UnspeakableError(texts[0].encode(), str(error)) from error
            return [ids for text in texts for ids in self._ids([text])]
        return [encoding.ids for encoding in encodings]


def is_of_the_library(error: BaseException) -> bool:
    """Whether the tokenizers library raised it: a bare Exception, or the panic of its Rust, which
    is none."""
    return type(error) is Exception or type(error).__name__ == "PanicException"


def vocab_size(tokenizer: Tokenizer) -> int:
    """One above the largest id: an embedding of this many rows holds them all, gaps included."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def dtype_for(vocab_size: int) -> TokenDtype:
    """The smallest type that holds every id below `vocab_size`."""
    if vocab_size <= 1 << 8:
        return "uint8"
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def byte_tokenizer() -> Tokenizer:
    """A byte-level model of the library with no merges, whose ids are the byte values."""
    vocab = {letter: byte for byte, letter in enumerate(byte_letters())}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_bpe(sample: Sequence[bytes], vocab_size: int) -> Tokenizer:
    """A byte-level BPE (GPT-2's kind) of at most `vocab_size` tokens, the separator's id being 0.

    A small sample may not hold enough pairs for all of them.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (document.decode() for document in sample)
    tokenizer.train_from_iterator(texts, trainer, length=len(sample))
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Raises:
    DataError: the file is not a tokenizer.json, or one without tokens.
    OSError: it cannot be read.
    """
    name = printable(str(path))
    try:
        tokenizer = Tokenizer.from_str(path.read_bytes().decode())
    except BaseException as error:
        if not (is_of_the_library(error) or isinstance(error, UnicodeDecodeError)):
            raise
        raise DataError(
            f"--tokenizer: {name}: is not a tokenizer.json of the tokenizers library: {error}"
        ) from error
    if vocab_size(tokenizer) == 0:
        raise DataError(f"--tokenizer: {name}: has no tokens; name another")
    return tokenizer
