"""What is left out of the inputs, or changed: counted while they are read, and told at the end."""

from collections import Counter
from enum import StrEnum


class LeftOut(StrEnum):
    """How often each kind was met, and the sentence about it."""

    not_text = "left out of the folders: {:,} × a file that is not UTF-8 text"
    not_files = "left out of the folders: {:,} × no file but a pipe, a socket or a broken link"
    loops = "left out of the folders: {:,} × a link back to a folder that it is in"
    prepared = "left out of the folders: {:,} × a prepared folder, which holds tokens"
    empty = "left out: {:,} × a file, line or row that is empty, null or white space"
    nul_bytes = "dropped: {:,} × a NUL byte"
    half_pairs = "replaced by U+FFFD: {:,} × half a surrogate pair, which is no character"


Tally = Counter[LeftOut]


def sentences(tally: Tally) -> list[str]:
    return [kind.format(tally[kind]) for kind in LeftOut if tally[kind]]
