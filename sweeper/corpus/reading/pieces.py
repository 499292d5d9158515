"""Documents out of a stream of bytes: where one ends, and how a long one is cut.

All of it works on UTF-8 bytes: that is what is hashed, counted and (byte tokenizer) trained on.
"""

from collections.abc import Iterable, Iterator

from trainable.data import meta

END_OF_TEXT = meta.END_OF_TEXT.encode()

# Bounds the memory a document takes in a tokenizer (about 25 times its text), and gives one large
# file enough documents for a fair split. 64 KiB is still longer than a training window.
MAX_DOCUMENT_BYTES = 64 * 1024


def documents_in(blocks: Iterable[bytes], *, longest: int = MAX_DOCUMENT_BYTES) -> Iterator[bytes]:
    """The documents in a text that arrives in blocks; where the blocks end makes no difference.

    A document ends at the marker `<|endoftext|>` (TinyStories and others are delivered so) and at
    the end of the text. One above `longest` bytes is cut at line ends. NUL bytes are dropped: they
    are the byte tokenizer's separator. Documents of white space alone are left out.
    """
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(END_OF_TEXT)
        for text in whole:
            yield from _cut(text, longest)
        # Cut what is surely more than two pieces, whatever follows, half a marker included.
        start = 0
        while len(rest) - start > 2 * longest + len(END_OF_TEXT):
            end = cut_near(rest, start, start + longest)
            yield from _cleaned(rest[start:end])
            start = end
        rest = rest[start:]
    yield from _cut(rest, longest)


def cut_near(text: bytes, start: int, limit: int) -> int:
    """Where to end a piece that begins at `start`: after the last line end in the second half
    before `limit`, else at the last character boundary."""
    line_end = text.rfind(b"\n", start + (limit - start) // 2, limit)
    if line_end >= 0:
        return line_end + 1
    while limit > start + 1 and text[limit] & 0xC0 == 0x80:  # inside a character
        limit -= 1
    return limit


def _cut(text: bytes, longest: int) -> Iterator[bytes]:
    start = 0
    while len(text) - start > longest:
        left = len(text) - start
        size = longest if left > 2 * longest else (left + 1) // 2
        end = cut_near(text, start, start + size)
        yield from _cleaned(text[start:end])
        start = end
    yield from _cleaned(text[start:])


def _cleaned(text: bytes) -> Iterator[bytes]:
    if b"\0" in text:
        text = text.replace(b"\0", b"")
    if text and not text.isspace():
        yield text
