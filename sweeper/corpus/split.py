"""Which documents are for training and which for validation, and an even sample of them.

A document's own content decides: it is for validation if a hash of it, as a number in [0, 1), is
below the validation fraction. So neither the order of the inputs nor adding to them moves a
document to the other side, and copies of a document are never on both sides. Line ends around a
text do not count: in a file of stories they stand before or after the marker between two stories.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

from trainable.errors import DataError
from trainable.settings import counted

SMALL_DOCUMENT_BYTES = 4096  # where all documents fell on one side: cut none shorter than this
BPE_SAMPLE_BYTES = 64 << 20  # of training text: more changes few merges and costs memory
LINE_ENDS = b"\r\n"


class Split(StrEnum):
    train = "train"
    val = "val"

    @property
    def other(self) -> "Split":
        return Split.val if self is Split.train else Split.train


def essence(document: bytes) -> bytes:
    """What copies of a document have in common: the text without line ends before it, with one
    after."""
    text = document.lstrip(LINE_ENDS)
    return text if text.endswith(b"\n") else text + b"\n"


def position(document: bytes) -> float:
    """The document's place in [0, 1), by its content alone."""
    digest = hashlib.blake2b(essence(document), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # 53 bits: exactly a float's


def split_documents(
    documents: Iterable[bytes], val_fraction: float
) -> Iterator[tuple[Split, bytes]]:
    """Each document with its side; both sides get something, however few they are.

    While all documents fall on one side, the one nearest to the other side is held back with its
    copies: at the end they, or a part of each where they are long or alone, go to the other side.

    Raises:
        DataError: no text, or too little to divide.
    """
    one_side: _OneSide | None = None
    both = False
    for document in documents:
        place = position(document)
        side = Split.val if place < val_fraction else Split.train
        if one_side is None and not both:
            one_side = _OneSide(side, val_fraction)
        if one_side is not None and side is not one_side.side:
            yield from one_side.release()
            one_side, both = None, True
        if one_side is None:
            yield side, document
        else:
            yield from one_side.take(place, document)
    if one_side is not None:
        yield from one_side.divide()
    elif not both:
        raise DataError("the inputs hold no text; name files with text in them")


class _OneSide:
    """The documents so far, while all are on one side. It holds one of them and counts its
    copies."""

    def __init__(self, side: Split, val_fraction: float) -> None:
        self.side = side
        self._share = val_fraction if side is Split.train else 1 - val_fraction
        self._place = -1.0
        self._held: Counter[bytes] = Counter()  # copies, which may differ in the line ends around
        self._num_bytes = 0
        self._lengths: set[int] = set()  # of all others: as many as a document may have bytes

    def take(self, place: float, document: bytes) -> Iterator[tuple[Split, bytes]]:
        self._num_bytes += len(document)
        if self._held and place != self._place:
            if (place < self._place) != (self.side is Split.train):  # farther than the held one
                self._lengths.add(len(essence(document)))
                yield self.side, document
                return
            self._lengths.update(len(essence(held)) for held in self._held)
            yield from self.release()
        self._place = place
        self._held[document] += 1

    def release(self) -> Iterator[tuple[Split, bytes]]:
        for document in self._held.elements():
            yield self.side, document
        self._held.clear()

    def divide(self) -> Iterator[tuple[Split, bytes]]:
        """The held document for the other side: whole if it is short and not alone, else a part.

        Raises:
            DataError: it is alone, and too short for two parts.
        """
        document = next(iter(self._held))
        wanted = max(1, round(self._share * self._num_bytes / self._held.total()))
        if self._lengths:
            wanted = max(wanted, SMALL_DOCUMENT_BYTES)
        cut = None if self._lengths and len(document) <= wanted else self._cut(document, wanted)
        if cut is None and not self._lengths:
            raise DataError(
                f"the inputs hold {counted(self._num_bytes, 'byte')} of text, too little to divide "
                "into training and validation; give more text"
            )
        for copy in self._held.elements():
            if cut is None:
                yield self.side.other, copy
                continue
            place = cut + len(copy) - len(copy.lstrip(LINE_ENDS))
            yield Split.train, copy[:place]
            yield Split.val, copy[place:]

    def _cut(self, document: bytes, wanted: int) -> int | None:
        """Where to cut a document, its line ends before not counted: near where the other side
        gets the bytes wanted, and so that its part is no copy of anything on this side."""
        text = document.lstrip(LINE_ENDS)
        near = wanted if self.side is Split.val else len(text) - wanted
        for cut in _places(text, near):
            parts = essence(text[:cut]), essence(text[cut:])
            gone = parts[0] if self.side is Split.val else parts[1]
            if parts[0] != parts[1] and len(gone) not in self._lengths:
                return cut
        return None


def _places(text: bytes, near: int) -> Iterator[int]:
    """Where a text may be cut in two: at the line end before `near` if that is close, else between
    characters, the nearest first."""
    last = len(text.rstrip(LINE_ENDS)) - 1
    near = min(max(near, 1), last)
    line_end = text.rfind(b"\n", max(0, 2 * near - len(text)), near)
    if line_end >= 0:
        yield line_end + 1
    for distance in range(len(text)):
        for place in dict.fromkeys((near - distance, near + distance)):
            if 1 <= place <= last and text[place] & 0xC0 != 0x80:
                yield place


def sample_documents(
    documents: Iterable[bytes], *, at_most_bytes: int = BPE_SAMPLE_BYTES
) -> list[bytes]:
    """An even sample: the documents first by content hash, so their order makes no difference."""
    heap: list[tuple[float, bytes]] = []  # the last by hash on top
    num_bytes = 0
    for document in documents:
        heapq.heappush(heap, (-position(document), document))
        num_bytes += len(document)
        while num_bytes > at_most_bytes and len(heap) > 1:
            num_bytes -= len(heapq.heappop(heap)[1])
    return [document for _, document in sorted(heap, reverse=True)]
