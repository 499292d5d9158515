from hypothesis import given
from hypothesis import strategies as st

from sweeper.corpus.reading.pieces import END_OF_TEXT, cut_near, documents_in

LONGEST = 32
MARKER = END_OF_TEXT.decode()

texts = st.lists(
    st.one_of(st.text(max_size=60), st.sampled_from(["\n", MARKER, MARKER[:7], "é", "a" * 70])),
    max_size=12,
).map("".join)


def cut_at(text: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(text)) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(texts, st.lists(st.integers(0, 400)))
def test_where_the_blocks_end_makes_no_difference(text: str, places: list[int]) -> None:
    data = text.encode()
    whole = list(documents_in([data], longest=LONGEST))
    assert list(documents_in(cut_at(data, places), longest=LONGEST)) == whole


@given(texts)
def test_pieces_hold_all_text_but_markers_nul_and_white_space(text: str) -> None:
    documents = list(documents_in([text.encode()], longest=LONGEST))
    expected = text.replace(MARKER, "").replace("\0", "")
    assert b"".join(b"".join(documents).split()) == b"".join(expected.encode().split())
    for document in documents:
        assert 0 < len(document) <= LONGEST
        assert document.decode().strip(" \t\n\r\v\f")  # valid UTF-8, and not white space alone
        assert b"\0" not in document


def test_a_marker_that_two_blocks_share_is_found_wherever_it_is_cut() -> None:
    """The hard case: half a marker makes a document seem longer than two pieces."""
    for length in range(2 * LONGEST - 20, 2 * LONGEST + 20):
        text = b"x" * length + END_OF_TEXT
        whole = list(documents_in([text], longest=LONGEST))
        for place in range(len(text)):
            assert list(documents_in([text[:place], text[place:]], longest=LONGEST)) == whole


def test_marker_ends_a_document() -> None:
    text = b"Once.\n<|endoftext|>\nTwice.\n<|endoftext|>\n"
    assert list(documents_in([text])) == [b"Once.\n", b"\nTwice.\n"]


def test_long_documents_are_cut_after_a_line_end() -> None:
    text = b"".join(b"line %03d\n" % number for number in range(100))
    documents = list(documents_in([text], longest=64))
    assert b"".join(documents) == text
    assert all(document.endswith(b"\n") for document in documents)


def test_a_text_just_above_the_limit_is_cut_in_halves() -> None:
    assert list(map(len, documents_in([b"x" * 66], longest=64))) == [33, 33]


def test_a_cut_never_falls_inside_a_character() -> None:
    text = "€".encode() * 3
    assert [cut_near(text, 0, limit) for limit in (3, 4, 5, 6)] == [3, 3, 3, 6]
