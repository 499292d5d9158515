"""Where a trial hangs: the trial notes it itself, before it is killed for its silence."""

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stack_if_longer(seconds: float | None, path: Path) -> Iterator[None]:
    """If what is inside takes longer than this, write the stack of this thread to `path`; it goes
    on all the same. The file is removed if it ends well, but not if it raises: a process that is
    killed may still raise on its way out, and the driver needs to find the file."""
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
