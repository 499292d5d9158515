import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.corpus.reading.json_lines import json_texts
from trainable.errors import DataError


@given(st.lists(st.text()))
def test_json_lines_give_their_texts(texts: list[str]) -> None:
    lines = [json.dumps({"id": 1, "text": text}).encode() + b"\n" for text in texts]
    found = [text.decode() for text in json_texts(lines, "a.jsonl", "text")]
    assert found == [text.encode(errors="replace").decode() for text in texts]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    (text,) = json_texts([rb'{"text": "a\ud83dz"}'], "a.jsonl", "text")
    assert text.decode() == "a\ufffdz"


def test_blank_lines_and_nulls_are_left_out() -> None:
    lines = [b"\n", b'{"text": null}\n', b'{"text": "x"}\n']
    assert list(json_texts(lines, "a.jsonl", "text")) == [b"x"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": ', r"a\.jsonl:2: not JSON: .* at column \d+"),
        (b"[1]", r"a\.jsonl:2: must be a JSON object .*'text', got \[1\]"),
        (
            b'{"body": "x", "id": 1}',
            r"a\.jsonl:2: no field 'text'; there are: body, id; .*--t",
        ),
        (b"{}", r"a\.jsonl:2: no field 'text', and no other; remove the line"),
        (b'{"text": 5}', r"a\.jsonl:2: field 'text' must be text, got 5; .*--text_field"),
        (b'{"text": "\xff"}', r"a\.jsonl:2: byte 10 of the line is not UTF-8"),
        (b'{"text": ' + b"9" * 5000 + b"}", r"a\.jsonl:2: field 'text' must be text, got inf"),
        (
            b'{"text": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            r"a\.jsonl:2: brackets in brackets, too deep to be read",
        ),
        (b'{"a":' * 100_000, r"a\.jsonl:2: brackets in brackets, too deep to be read"),
        (rb'{"\u001b[31m\ud83d\n": 1}', r"no field 'text'; there are: \\x1b\[31m\\ud83d\\n;"),
        (json.dumps(dict.fromkeys(range(100))).encode(), "there are: 0, 1, .*, 19 and 80 more;"),
        (json.dumps({"x" * 1000: 1}).encode(), "there are: x{200}…;"),
        ('{"text": "é"}'.encode("utf-16"), r"a\.jsonl:2: byte 0 of the line is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(line: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(json_texts([b'{"text": "good"}\n', line], "a.jsonl", "text"))


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "good", "n": ' + b"9" * 5000 + b"}",
        b'{"text": "good", "n": -' + b"9" * 5000 + b"e5}",
        b'{"text": "good", "n": [NaN, -Infinity, 1e999]}',
        b'{"text": "bad", "text": "good"}',
        b'\xef\xbb\xbf{"text": "good"}',
        b'{"text": "good", "n": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_what_stands_in_other_fields_is_no_matter(line: bytes) -> None:
    assert list(json_texts([line], "a.jsonl", "text")) == [b"good"]


def test_a_field_may_have_a_dot_in_its_name() -> None:
    line = b'{"meta.text": "flat", "meta": {"text": "nested"}}'
    assert list(json_texts([line], "a.jsonl", "meta.text")) == [b"flat"]
