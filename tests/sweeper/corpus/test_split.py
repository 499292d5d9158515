import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeper.corpus.split import Split, essence, position, sample_documents, split_documents
from trainable.errors import DataError

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
documents = st.lists(words.map(str.encode), min_size=2, max_size=40, unique=True)
fractions = st.floats(0.01, 0.99)


def numbered(count: int, size: int = 20) -> list[bytes]:
    return [(b"document %d " % number) * size for number in range(count)]


def sides(texts: list[bytes], val_fraction: float) -> dict[Split, list[bytes]]:
    pairs = list(split_documents(texts, val_fraction))
    return {side: [text for of, text in pairs if of is side] for side in Split}


@given(documents, fractions)
def test_short_documents_stay_whole_and_both_sides_get_some(
    texts: list[bytes], val_fraction: float
) -> None:
    split = sides(texts, val_fraction)
    assert split[Split.train] and split[Split.val]
    assert sorted(split[Split.train] + split[Split.val]) == sorted(texts)


@given(st.permutations(numbered(30)))
def test_order_makes_no_difference(texts: list[bytes]) -> None:
    assert set(sides(texts, 0.2)[Split.val]) == set(sides(numbered(30), 0.2)[Split.val])


def test_adding_documents_moves_none() -> None:
    few, many = sides(numbered(200), 0.1), sides(numbered(400), 0.1)
    assert set(few[Split.val]) == set(many[Split.val]) & set(numbered(200))


def test_share_is_about_the_fraction_asked_for() -> None:
    assert len(sides(numbered(10_000, size=1), 0.05)[Split.val]) == pytest.approx(500, rel=0.2)


A, B = b"a short document\n", b"another one\n"
LONG = b"".join(b"line %04d\n" % number for number in range(1000))
characters = st.text(st.sampled_from("ab\n\u20ac"), min_size=1, max_size=4)
few_words = st.lists(characters, min_size=1, max_size=4).map(lambda parts: "".join(parts).encode())
several = st.lists(few_words | st.just(LONG) | st.just(LONG[:-4097]), min_size=1, max_size=6)


@st.composite
def corpora_with_copies(draw: st.DrawFn) -> list[bytes]:
    """Some texts, each once or more, in any order, with more or fewer line ends around them."""
    distinct = draw(several.filter(lambda texts: any(text.strip() for text in texts)))
    copies = draw(st.lists(st.sampled_from(distinct), max_size=12))
    around = st.sampled_from([b"%b", b"\n%b", b"\r\n\n%b"])
    texts = [draw(around) % text for text in distinct + copies]
    return draw(st.permutations([text for text in texts if text.strip()]))


@settings(max_examples=500, deadline=None)
@given(corpora_with_copies(), st.sampled_from([1e-9, 0.05, 0.3, 0.5, 0.95, 1 - 1e-9]))
@example([A, A], 0.05)
@example([A, B, A], 0.05)
@example([LONG, LONG], 0.05)
@example([LONG, LONG], 0.95)
@example([LONG, LONG[-4100:], LONG], 0.05)  # the end of a long one is a document of its own
@example([b"abab"], 0.5)  # halves that are copies of each other
@example([b"once\n", b"\nonce\n", b"\nonce"], 0.05)  # as around the markers of a file of stories
def test_no_copy_is_on_the_other_side(texts: list[bytes], val_fraction: float) -> None:
    try:
        split = sides(texts, val_fraction)
    except DataError:
        assert len({essence(text) for text in texts}) == 1, "two documents can always be divided"
        assert len("".join(texts[0].decode().split())) <= 2, "three letters can"
        return
    train, val = ({essence(text) for text in split[side]} for side in Split)
    assert train and val and not train & val
    assert sum(map(len, split[Split.train] + split[Split.val])) == sum(map(len, texts))


def test_no_copy_is_on_the_other_side_in_corpora_of_ten_with_two_copies() -> None:
    """The figures of the report: one in six of such corpora had a copy on both sides."""
    rng = random.Random(0)
    for number in range(1000):
        texts = [b"corpus %d text %d" % (number, index) for index in range(8)]
        texts += rng.choices(texts, k=2)
        rng.shuffle(texts)
        split = sides(texts, 0.05)
        assert not set(split[Split.train]) & set(split[Split.val])


def test_copies_of_a_document_stay_together() -> None:
    split = sides(numbered(100) * 2, 0.3)
    assert not set(split[Split.train]) & set(split[Split.val])


@given(st.permutations(numbered(6) * 3), st.sampled_from([0.01, 0.99]))
def test_order_makes_no_difference_where_one_is_held_back(
    texts: list[bytes], val_fraction: float
) -> None:
    ordered = sides(numbered(6) * 3, val_fraction)
    found = sides(texts, val_fraction)
    assert {side: sorted(found[side]) for side in Split} == {
        side: sorted(ordered[side]) for side in Split
    }


def test_copies_of_a_long_document_give_the_share_together() -> None:
    split = sides([LONG] * 4, 0.1)
    assert set(split[Split.val]) == {LONG[-1000:]} and len(split[Split.val]) == 4
    assert set(split[Split.train]) == {LONG[:-1000]}


def test_documents_are_not_held_in_memory() -> None:
    """Of 64 MB of distinct texts and of copies, all on one side, a few are kept."""

    def documents() -> Iterator[bytes]:
        for number in range(1000):
            yield b"%06d " % number * 9362  # about 64 KiB
            yield b"copy %d" % (number % 2) * 4000

    tracemalloc.start()
    try:
        num_bytes = sum(len(document) for _, document in split_documents(documents(), 1e-12))
        assert num_bytes > 60_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_without_a_validation_document_the_nearest_by_hash_is_taken() -> None:
    texts = sorted(numbered(30), key=position)
    fraction = position(texts[0]) / 2
    assert sides(texts, fraction)[Split.val] == [texts[0]]


def test_without_a_training_document_the_nearest_by_hash_is_taken() -> None:
    texts = sorted(numbered(30), key=position)
    fraction = (position(texts[-1]) + 1) / 2
    assert sides(texts, fraction)[Split.train] == [texts[-1]]


@given(words, fractions)
def test_a_single_document_is_divided_between_characters(text: str, val_fraction: float) -> None:
    data = (text + "ab").encode()
    split = sides([data], val_fraction)
    (train,), (val,) = split[Split.train], split[Split.val]
    assert train + val == data
    assert train.decode() and val.decode()


def test_a_single_document_gives_its_last_lines() -> None:
    text = b"".join(b"line %03d\n" % number for number in range(1000))
    split = sides([text], 0.1)
    assert split[Split.val][0] == text[-900:]


def test_a_long_held_back_document_gives_only_its_share() -> None:
    texts = [text for text in numbered(40, size=4000) if position(text) > 0.05][:3]
    split = sides(texts, 0.05)
    total = sum(map(len, texts))
    assert len(b"".join(split[Split.val])) == pytest.approx(0.05 * total, rel=0.05)
    assert len(b"".join(split[Split.val] + split[Split.train])) == total


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "the inputs hold no text; name files with text"),
        ([b"a"], "hold 1 byte of text, too little to divide .* give more text"),
        (["😀".encode()], "hold 4 bytes of text, too little to divide"),
    ],
)
def test_too_little_text_is_refused(texts: list[bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(split_documents(texts, 0.05))


@given(st.permutations([b"text %d" % number for number in range(100, 200)]), st.integers(1, 900))
def test_a_sample_is_bounded_and_ignores_the_order(texts: list[bytes], limit: int) -> None:
    sample = sample_documents(texts, at_most_bytes=limit)
    assert sample == sample_documents(sorted(texts), at_most_bytes=limit)
    fitting = max(1, min(100, limit // len(texts[0])))
    assert sample == sorted(texts, key=position)[:fitting]
