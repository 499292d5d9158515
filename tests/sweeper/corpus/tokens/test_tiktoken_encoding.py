"""tiktoken's encodings have the ids of tiktoken itself.

Its vocabularies cannot be had without a network: here its patterns and special tokens go with the
merges of a vocabulary that is trained for the test.
"""

import sys

import pytest
import tiktoken
import tiktoken_ext.openai_public as published
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from sweeper.corpus.reading.inputs import stdlib_files
from sweeper.corpus.tokens.tiktoken_encoding import as_tokenizer, byte_letters, published_encoding
from sweeper.corpus.tokens.tokenization import Loaded, parse_tokenizer, train_bpe
from trainable.errors import DataError

SAMPLE = [file.path.read_bytes() for file in stdlib_files()[:25]]
NAMES = ["gpt2", "cl100k_base", "o200k_base"]


def trained_ranks() -> dict[bytes, int]:
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    vocab = train_bpe(SAMPLE, 900).get_vocab(with_added_tokens=False)
    tokens = sorted((id, text) for text, id in vocab.items() if not text.startswith("<|"))
    return {bytes(byte_of[c] for c in text): rank for rank, (_, text) in enumerate(tokens)}


RANKS = trained_ranks()


def encoding(name: str) -> tiktoken.Encoding:
    with pytest.MonkeyPatch.context() as patch:
        for loader in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
            patch.setattr(published, loader, lambda *_, **__: RANKS)
        stated = {**getattr(published, name)(), "explicit_n_vocab": None}
    return tiktoken.Encoding(**stated)


ENCODINGS = {name: encoding(name) for name in NAMES}
TOKENIZERS: dict[str, Tokenizer] = {  # as they are read from tokenizer.json
    name: Tokenizer.from_str(as_tokenizer(ENCODINGS[name]).to_str()) for name in NAMES
}


@pytest.mark.parametrize("name", NAMES)
def test_documents_have_tiktokens_ids_and_come_back(name: str) -> None:
    for text in (document.decode() for document in SAMPLE):
        ids = TOKENIZERS[name].encode(text).ids
        assert ids == ENCODINGS[name].encode_ordinary(text)
        assert TOKENIZERS[name].decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8")))
def test_any_text_has_tiktokens_ids(name: str, text: str) -> None:
    assert TOKENIZERS[name].encode(text).ids == ENCODINGS[name].encode_ordinary(text)


@pytest.mark.parametrize("name", NAMES)
def test_special_tokens_keep_their_ids(name: str) -> None:
    for token in ENCODINGS[name].special_tokens_set:
        wanted = ENCODINGS[name].encode_single_token(token)
        assert TOKENIZERS[name].token_to_id(token) == wanted


def test_an_encoding_whose_ids_would_differ_is_refused() -> None:
    stated = {"mergeable_ranks": RANKS, "special_tokens": {}}
    other = tiktoken.Encoding("odd", pat_str=r"(?i:\p{N}{1,2}+[0-9]|.|\n)", **stated)
    with pytest.raises(DataError, match="tiktoken:odd: cannot be had with the same ids"):
        as_tokenizer(other)


def test_prepare_takes_a_published_one_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktoken, "get_encoding", ENCODINGS.__getitem__)
    spec = parse_tokenizer("tiktoken:gpt2")
    assert isinstance(spec, Loaded)
    assert spec.tokenizer.encode("It's 12").ids == ENCODINGS["gpt2"].encode_ordinary("It's 12")


def test_what_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"tiktoken:gpt3: no such encoding; there are: gpt2, "):
        published_encoding("gpt3")

    def unreachable(name: str) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", unreachable)
    with pytest.raises(DataError, match="tiktoken:gpt2: cannot be fetched: no route to host"):
        published_encoding("gpt2")
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(DataError, match="tiktoken:gpt2: needs tiktoken; pip install tiktoken"):
        published_encoding("gpt2")
