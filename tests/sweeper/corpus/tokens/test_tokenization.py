import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from sweeper.corpus.reading.inputs import stdlib_files
from sweeper.corpus.tokens.tokenization import (
    ByteEncoder,
    Bytes,
    LibraryEncoder,
    Loaded,
    TrainBPE,
    UnspeakableError,
    byte_tokenizer,
    dtype_for,
    load_tokenizer,
    parse_tokenizer,
    train_bpe,
    vocab_size,
)
from trainable.errors import DataError

no_nul = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SAMPLE = [file.path.read_bytes() for file in stdlib_files()[:40]]
BPE = train_bpe(SAMPLE, 500)


@given(st.text(st.characters(codec="utf-8")))
def test_byte_tokenizer_of_the_library_gives_the_bytes(text: str) -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode(text).ids
    assert ids == list(text.encode())
    assert tokenizer.decode(ids) == text


@given(st.lists(no_nul.map(str.encode)))
def test_byte_encoder_ends_each_document_with_byte_zero(documents: list[bytes]) -> None:
    ids = ByteEncoder().encode(documents)
    assert ids.dtype == np.uint8
    assert ids.tobytes() == b"".join(document + b"\0" for document in documents)


@settings(deadline=None)
@given(st.lists(no_nul, min_size=1, max_size=5))
def test_bpe_goes_there_and_back_with_a_separator_after_each(texts: list[str]) -> None:
    encoder = LibraryEncoder(BPE)
    ids = encoder.encode([text.encode() for text in texts])
    assert ids.dtype == np.uint16
    ends = np.flatnonzero(ids == encoder.separator)
    found = [one[:-1].tolist() for one in np.split(ids, ends + 1)[:-1]]
    assert [BPE.decode(one, skip_special_tokens=False) for one in found] == texts


def test_bpe_training_is_deterministic_and_has_the_size_asked_for() -> None:
    assert vocab_size(BPE) == 500
    assert BPE.token_to_id("<|endoftext|>") == 0
    assert train_bpe(SAMPLE, 500).to_str() == BPE.to_str()


def test_the_smallest_bpe_is_the_bytes_and_the_separator() -> None:
    smallest = train_bpe(SAMPLE, 257)
    assert vocab_size(smallest) == 257
    assert smallest.decode(smallest.encode("é\n").ids) == "é\n"


def file_with(tmp_path: Path, special: str | None) -> Path:
    vocab = {"<unk>": 0, "a": 1, "b": 2, "<s>": 9}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 9)])
    if special is not None:
        tokenizer.add_special_tokens([special])
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_a_tokenizer_file_adds_only_its_separator(tmp_path: Path) -> None:
    encoder = LibraryEncoder(load_tokenizer(file_with(tmp_path, "</s>")))
    end = encoder.tokenizer.token_to_id("</s>")
    assert encoder.separator == end
    # neither cut at 2, padded to 8, nor begun with <s>
    assert encoder.encode([b"a b a b", b"b"]).tolist() == [1, 2, 1, 2, end, 2, end]


def test_a_tokenizer_file_without_an_end_of_text_has_no_separator(tmp_path: Path) -> None:
    encoder = LibraryEncoder(load_tokenizer(file_with(tmp_path, None)))
    assert encoder.separator is None
    assert encoder.encode([b"a b", b"b"]).tolist() == [1, 2, 2]


def test_vocabulary_size_is_above_every_id(tmp_path: Path) -> None:
    assert vocab_size(load_tokenizer(file_with(tmp_path, None))) == 10  # though 4 ids are in use


@pytest.mark.parametrize("data", [b'{"hello": 1}', b"", b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(DataError, match=r"--tokenizer: .*tokenizer\.json: is not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_tokenizer_without_tokens_is_named(tmp_path: Path) -> None:
    Tokenizer(models.BPE({}, [])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(DataError, match=r"--tokenizer: .*tokenizer\.json: has no tokens; name an"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_tokenizer_file_may_have_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(file_with(tmp_path, None)) + b"\xe9"))
    (tmp_path / "tokenizer.json").rename(path)
    assert load_tokenizer(path).token_to_id("b") == 2


def test_the_dropout_of_a_tokenizer_file_is_off(tmp_path: Path) -> None:
    vocab = {"a": 0, "b": 1, "ab": 2}
    Tokenizer(models.BPE(vocab, [("a", "b")], dropout=0.9)).save(str(tmp_path / "t.json"))
    encoder = LibraryEncoder(load_tokenizer(tmp_path / "t.json"))
    assert encoder.encode([b"ab" * 100]).tolist() == [2] * 100


LACKING = [
    models.WordLevel({"a": 0, "b": 1}, unk_token="<unk>"),
    models.WordPiece({"a": 0, "b": 1}, unk_token="<unk>"),
    models.Unigram([("a", -1.0), ("b", -1.0)]),
]


@pytest.mark.parametrize("model", LACKING, ids=lambda model: type(model).__name__)
def test_a_tokenizer_without_an_unknown_token_names_the_text(model: models.Model) -> None:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    encoder = LibraryEncoder(tokenizer)
    assert encoder.encode([b"a b", b"b"]).tolist() == [0, 1, 1]
    with pytest.raises(UnspeakableError, match="has no token for some of the text") as caught:
        encoder.encode([b"a", b"b c", b"a"])
    assert caught.value.document == b"b c"


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")],
)
def test_dtype_is_the_smallest_that_holds_the_vocabulary(size: int, dtype: str) -> None:
    assert dtype_for(size) == dtype


def test_a_folder_that_transformers_saved_is_its_tokenizer(tmp_path: Path) -> None:
    train_bpe([b"some text"], 300).save(str(tmp_path / "tokenizer.json"))
    found = parse_tokenizer(str(tmp_path))
    assert isinstance(found, Loaded)
    assert found.tokenizer.get_vocab() == train_bpe([b"some text"], 300).get_vocab()


def test_tokenizers_are_named_as_they_are(tmp_path: Path) -> None:
    path = file_with(tmp_path, None)
    assert parse_tokenizer("bytes") == Bytes()
    assert parse_tokenizer("bpe:4096") == TrainBPE(4096)
    found = parse_tokenizer(str(path))
    assert isinstance(found, Loaded) and found.tokenizer.token_to_id("b") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("byte", r"byte: no such tokenizer .*: bytes, bpe:VOCAB .*; did you mean 'bytes'\?"),
        ("gpt2", "gpt2: no such tokenizer or file; there are: bytes, bpe:VOCAB .*tokenizer.json"),
        ("bpe", "bpe: the vocabulary must be .* at least 257 .* for example bpe:4096"),
        ("bpe:256", "bpe:256: the vocabulary must be a whole number of at least 257"),
        ("bpe:4k", "bpe:4k: the vocabulary must be a whole number"),
        ("bpe:-300", "bpe:-300: the vocabulary must be a whole number"),
        ("bpe:1048577", "bpe:1048577: the vocabulary must be .* and at most 1048576"),
        ("bpe:" + "9" * 5000, "bpe:9{196}…: the vocabulary must be a whole number"),
        ("bpe:٣٠٠", "bpe:٣٠٠: the vocabulary must be a whole number"),
        ("x" * 5000, "x{200}…: cannot be read: File name too long"),
        ("caf\udce9", r"caf\\xe9: no such tokenizer or file"),
        ("a\0b", r"a\\x00b: no such tokenizer or file"),
        ("/", "/: is a folder without /tokenizer.json; name a file"),
    ],
)
def test_an_unknown_tokenizer_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_tokenizer(text)
