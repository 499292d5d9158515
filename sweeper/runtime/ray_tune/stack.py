"""Where a trial hangs, noted by itself before it is killed for it."""

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stack_if_longer(seconds: float | None, path: Path) -> Iterator[None]:
    """Write the stack of this thread to `path` if what is inside takes longer; it goes on, and if
    it comes to a good end the file is removed: a process that is killed may still raise on its way
    out, and the driver is to find what it has noted."""
    if seconds is None:
        yield
        return
    thread = threading.get_ident()

    def note() -> None:
        frame = sys._current_frames()[thread]
        stack = "".join(traceback.format_stack(frame))
        path.write_text(stack, encoding="utf-8", errors="backslashreplace")

    timer = threading.Timer(seconds, note)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    path.unlink(missing_ok=True)
