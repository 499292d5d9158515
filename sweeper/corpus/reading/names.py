"""Names that come from the input (of files, columns, fields), as messages and meta.json show
them."""

import re
from collections.abc import Iterable

MAX_CHARACTERS = 200  # who passes text in place of a file's name is not shown all of it
MAX_LISTED = 20


def printable(name: str) -> str:
    """The name as text that every terminal and file takes: bytes that are not UTF-8 (a file name
    may hold any), halves of surrogate pairs and control characters become escapes."""
    try:
        text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        text = name.encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


def shortened(name: str) -> str:
    return printable(name[:MAX_CHARACTERS]) + ("…" if len(name) > MAX_CHARACTERS else "")


def enumerated(names: Iterable[object]) -> str:
    """`a, b, c`, cut where nobody would read on."""
    shown = [shortened(str(name)) for name in names]
    more = len(shown) - MAX_LISTED
    return ", ".join(shown[:MAX_LISTED]) + (f" and {more:,} more" if more > 0 else "")
