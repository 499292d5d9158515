"""The texts of a file of JSON lines: one object a line, one of its fields the text."""

import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sweeper.corpus.reading.left_out import LeftOut, Tally
from sweeper.corpus.reading.names import enumerated, printable
from trainable.errors import DataError


def json_texts(
    lines: Iterable[bytes], name: str, text_field: str, left_out: Tally | None = None
) -> Iterator[bytes]:
    """The text field of each line, as UTF-8; blank lines and null texts are left out.

    Raises:
        DataError: naming file and line, where a line is not an object with that text.
    """
    left_out = Tally() if left_out is None else left_out
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        text = _text_of(line, f"{name}:{number}", text_field)
        if text is None:
            left_out[LeftOut.empty] += 1
        else:
            yield _encoded(text, left_out)


def refuse_records(start: bytes, name: str, text_field: str, *, is_named: bool) -> None:
    """Refuse a .json file that holds documents, rather than train on its brackets and quotes. Any
    other is text, as the settings in a folder of source code are.

    Args:
        start: How the file begins.
        is_named: Whether the user has named the file itself, and not a folder that it is in.

    Raises:
        DataError: an array of objects or texts, or objects with that field.
    """
    text = start.decode("utf-8-sig", "ignore").lstrip()
    items, which = (text[1:].lstrip(), ".[]") if text.startswith("[") else (text, ".")
    try:
        first, _ = json.JSONDecoder().raw_decode(items)
    except (ValueError, RecursionError):
        first = None
    has_text = isinstance(first, dict) and text_field in first
    if has_text or (is_named and items is not text and items.startswith(("{", '"'))):
        lines = shlex.quote(str(Path(name).with_suffix(".jsonl")))
        raise DataError(
            f"{name}: is JSON, of which prepare reads an object a line, in a .jsonl file; make "
            f"one: jq -c '{which}' {shlex.quote(name)} > {lines}"
        )


def _text_of(line: bytes, where: str, text_field: str) -> str | None:
    record, asked_for = _parsed(line, where), printable(text_field)
    if not isinstance(record, dict):
        raise DataError(
            f"{where}: must be a JSON object with the text in '{asked_for}', "
            f"got {printable(line.decode('utf-8-sig').strip()[:40])}"
        )
    if text_field not in record:
        there = f"there are: {enumerated(record)}; name one with --text_field"
        raise DataError(
            f"{where}: no field '{asked_for}'"
            + (f"; {there}" if record else ", and no other; remove the line")
        )
    text = record[text_field]
    if text is None or isinstance(text, str):
        return text
    raise DataError(
        f"{where}: field '{asked_for}' must be text, got {text!r:.40}; "
        "name another with --text_field"
    )


def _parsed(line: bytes, where: str) -> Any:
    try:
        text = line.decode("utf-8-sig")
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # Python makes no whole number of so many digits
            return json.loads(text, parse_int=float)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start:,} of the line is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not JSON: {error.msg} at column {error.colno}; "
            "a .jsonl file holds one JSON object a line"
        ) from error
    except RecursionError as error:
        raise DataError(
            f"{where}: brackets in brackets, too deep to be read; remove the line"
        ) from error


def _encoded(text: str, left_out: Tally) -> bytes:
    """The text as UTF-8. JSON can spell half a surrogate pair (a scraper cut an emoji in two):
    U+FFFD stands in."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        left_out[LeftOut.half_pairs] += whole.count("\ufffd") - text.count("\ufffd")
        return whole.encode()
