"""Which characters a tokenizer loses, against what comes back of a text through the library."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from sweeper.corpus.tokens.coverage import unknown_id
from sweeper.corpus.tokens.tokenization import LibraryEncoder, byte_tokenizer

AB = {"a": 0, "b": 1, "ab": 2}
BYTES = byte_tokenizer().get_vocab()


def bpe(vocab: dict[str, int] = AB, **options: object) -> Tokenizer:
    return Tokenizer(models.BPE(vocab, [], **options))  # type: ignore[arg-type]


def metaspace() -> Tokenizer:
    """A space before each word is what is left of a word that has no token."""
    tokenizer = bpe({**AB, "▁": 3})
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def byte_level(*without: int) -> Tokenizer:
    tokenizer = byte_tokenizer()
    tokenizer.model = models.BPE({t: n for t, n in BYTES.items() if n not in without}, [])
    return tokenizer


def lowercase() -> Tokenizer:
    tokenizer = bpe()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    return tokenizer


def fallback() -> Tokenizer:
    """SentencePiece's way: a token for each byte, for what has none of its own."""
    return bpe({f"<0x{byte:02X}>": byte for byte in range(256)}, byte_fallback=True)


def losses(tokenizer: Tokenizer, *texts: str) -> list[str]:
    encoder = LibraryEncoder(tokenizer)
    for text in texts:
        encoder.encode([text.encode(), b"ab"])
    return encoder.losses()


@pytest.mark.parametrize(
    ("tokenizer", "text", "lost"),
    [
        (bpe(), "abc é éa", r"lost: 3 × a character that the tokenizer has no token for: é c"),
        (metaspace(), "ab é ab", r"lost: 1 × .* for: é"),
        (byte_level(0xC3), "ab é ñ中", r"lost: 2 × .* for: [éñ] [éñ]"),
        (byte_level(0xA9), "ab é ñ中", r"lost: 1 × .* for: é"),
        (lowercase(), "AB Á C", r"lost: 1 × .* for: C"),
        (bpe(), "0123456789xyz", r"lost: 13 × .* for: 0 1 2 3 4 5 6 7 8 9 …"),
    ],
)
def test_characters_that_vanish_are_counted(tokenizer: Tokenizer, text: str, lost: str) -> None:
    (sentence,) = losses(tokenizer, text)
    assert re.fullmatch(lost, sentence)


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        (bpe(), "a b\n ab"),  # white space is dropped by habit
        (byte_level(), "é ñ 中 😀 \ufffd"),
        (fallback(), "é ñ 中 😀"),
        (lowercase(), "ÁB"),
        (metaspace(), "a ab"),
    ],
)
def test_what_is_said_is_not_lost(tokenizer: Tokenizer, text: str) -> None:
    assert losses(tokenizer, text) == []


UNKNOWN = {**AB, "<unk>": 3}


@pytest.mark.parametrize(
    "tokenizer",
    [
        bpe(UNKNOWN, unk_token="<unk>"),
        Tokenizer(models.WordPiece(UNKNOWN, unk_token="<unk>")),
        Tokenizer(models.Unigram([(token, -1.0) for token in UNKNOWN], unk_id=3)),
        Tokenizer(models.WordLevel(UNKNOWN, unk_token="<unk>")),
    ],
    ids=lambda tokenizer: type(tokenizer.model).__name__,
)
def test_unknown_tokens_are_counted(tokenizer: Tokenizer) -> None:
    assert unknown_id(tokenizer) == 3
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    (sentence,) = losses(tokenizer, "ab é é", "é ab")
    assert sentence.startswith("3 of the ") and "tokens are the tokenizer's unknown one" in sentence


@given(st.text(st.sampled_from("ab中é ")))
def test_the_count_is_that_of_the_characters_that_do_not_come_back(text: str) -> None:
    tokenizer = bpe()
    tokenizer.decoder = decoders.Fuse()
    encoder = LibraryEncoder(tokenizer)
    back = tokenizer.decode(encoder.encode([text.encode(), b"a"]).tolist()[:-1])
    missing = len(text.replace(" ", "")) - len(back)
    told = encoder.losses()
    assert (int(told[0].split()[1]) if told else 0) == missing
