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
    it comes to an end the file is removed."""
    if seconds is None:
        yield
        return
    thread = threading.get_ident()

    def note() -> None:
        frame = sys._current_frames()[thread]
        path.write_text("".join(traceback.format_stack(frame)))

    timer = threading.Timer(seconds, note)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.finished.is_set() and path.exists():
            path.unlink()
