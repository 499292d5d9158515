"""Standard output and error that may go away while a sweep runs: `… | head`, a closed terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO


class LastingStream:
    """A stream to a file or a terminal. Once it takes no more, what is written to it is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._drop_from_now_on()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop_from_now_on()

    def _drop_from_now_on(self) -> None:
        """Python writes out what is left in its buffer as it ends; it goes nowhere, too."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Nothing that is printed here raises an error because nobody can read it any more."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lasting, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _lasting(stream: TextIO) -> TextIO:
    is_file = isinstance(stream, TextIOWrapper)  # in a notebook it is something else
    return LastingStream(stream) if is_file else stream  # type: ignore[return-value]
