"""Which documents are for training and which for validation.

A document's own content decides (a hash of it, as a number in [0, 1), below the validation
fraction): so neither the order of the inputs nor adding to them moves a document from one side to
the other, and copies of a document are never on both sides.
"""

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

from trainable.errors import DataError

SMALL_DOCUMENT_BYTES = 4096  # where all documents fell on one side: cut none shorter than this


class Split(StrEnum):
    train = "train"
    val = "val"


def position(document: bytes) -> float:
    """The document's place in [0, 1), by its content alone."""
    digest = hashlib.blake2b(document, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # 53 bits: exactly a float's


def split_documents(
    documents: Iterable[bytes], val_fraction: float
) -> Iterator[tuple[Split, bytes]]:
    """Each document with its side, in order; both sides get something, however few they are.

    While all documents fall on one side, the one nearest to the other side is held back: at the
    end it, or a part of it where it is long or alone, goes to the other side.

    Raises:
        DataError: no text, or too little to divide.
    """
    held: tuple[float, bytes] | None = None
    sides: set[Split] = set()
    num_documents = num_bytes = 0
    for document in documents:
        num_documents += 1
        num_bytes += len(document)
        place = position(document)
        side = Split.val if place < val_fraction else Split.train
        sides.add(side)
        if len(sides) == 2:
            if held is not None:
                yield Split.train if side is Split.val else Split.val, held[1]
                held = None
            yield side, document
        elif held is None:
            held = place, document
        elif (place < held[0]) == (side is Split.train):
            yield side, held[1]
            held = place, document
        else:
            yield side, document
    if num_documents == 0:
        raise DataError("the inputs hold no text; name files with text in them")
    if held is not None:
        yield from _divide(held[1], sides.pop(), num_documents, num_bytes, val_fraction)


def _divide(
    document: bytes, side: Split, num_documents: int, num_bytes: int, val_fraction: float
) -> Iterator[tuple[Split, bytes]]:
    """`document` for the other side: whole if it is short and not alone, else train + val parts."""
    other = Split.val if side is Split.train else Split.train
    share = val_fraction if other is Split.val else 1 - val_fraction
    wanted = max(1, round(share * num_bytes))
    if num_documents > 1 and len(document) <= max(wanted, SMALL_DOCUMENT_BYTES):
        yield other, document
        return
    if num_documents > 1:
        wanted = max(wanted, SMALL_DOCUMENT_BYTES)
    cut = _division(document, len(document) - wanted if other is Split.val else wanted)
    yield Split.train, document[:cut]
    yield Split.val, document[cut:]


def _division(document: bytes, near: int) -> int:
    """Where to cut a document in two: at the line end before `near` if it is close, else
    between characters.

    Raises:
        DataError: a document of a single character.
    """
    near = min(max(near, 1), len(document) - 1)
    line_end = document.rfind(b"\n", max(0, 2 * near - len(document)), near)
    if line_end >= 0:
        return line_end + 1
    # A character is up to 4 bytes, so that one of its ends is this close.
    close = range(max(1, near - 3), min(len(document), near + 4))
    for cut in sorted(close, key=lambda place: abs(place - near)):
        if document[cut] & 0xC0 != 0x80:
            return cut
    raise DataError(
        f"the inputs hold {len(document)} bytes of text, too little to divide into training "
        "and validation; give more text"
    )
