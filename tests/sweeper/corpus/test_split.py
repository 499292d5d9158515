import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.corpus.split import Split, position, split_documents
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


def test_copies_of_a_document_stay_together() -> None:
    split = sides(numbered(100) * 2, 0.3)
    assert not set(split[Split.train]) & set(split[Split.val])


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
        ([b"a"], "hold 1 bytes of text, too little to divide .* give more text"),
        (["😀".encode()], "hold 4 bytes of text, too little to divide"),
    ],
)
def test_too_little_text_is_refused(texts: list[bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(split_documents(texts, 0.05))
