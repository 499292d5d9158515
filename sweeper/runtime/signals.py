"""Ending a sweep early, by Ctrl-C, SIGTERM or a terminal that closes: soon, or at once."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from sweeper.record.run_folder import RunFolder
from sweeper.status import ExitCode

EXIT_SECONDS = 13.0  # from a signal to the end of the process, whatever hangs
TELL_SECONDS = 0.5  # a terminal may take no more
STOPPING = "Stopping: what runs is being checkpointed. Ctrl-C again ends it at once."
REPORT_FIRST = "The report is written first. Ctrl-C again ends it at once."


class Deadline:
    """Ends this process after a while, whatever hangs in it, unless all who hold it as a context
    are done before."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None
        self._held = 0

    def start(self, folder: RunFolder) -> None:
        if self._timer is None:
            self._timer = threading.Timer(EXIT_SECONDS, exit_now, [folder])
            self._timer.daemon = True
            self._timer.start()

    def __enter__(self) -> Self:
        self._held += 1
        return self

    def __exit__(self, *error: object) -> None:
        """All was done in time: the process ends by itself, or goes on with something else."""
        self._held -= 1
        if self._timer is not None and not self._held:
            self._timer.cancel()


@contextmanager
def ending_by_signals(
    end: Callable[[], None],
    folder: RunFolder,
    said: str = STOPPING,
    command: str = "resume",
    *,
    asked: bool = False,
) -> Iterator[None]:
    """The first signal asks what is being done to end, the second ends the process at once.

    Args:
        said: At the first signal.
        command: Does what was left undone at the second.
        asked: The first one has come before.
    """

    def heard() -> None:
        nonlocal asked
        if asked:
            exit_now(folder, command)
        asked = True
        end()
        tell(said)

    with _hearing_signals(heard):
        yield


@contextmanager
def ending_at_once(last_words: str) -> Iterator[None]:
    """While there is nothing yet to be kept, the first signal ends the process."""

    def heard() -> None:
        tell(last_words)
        os._exit(ExitCode.INTERRUPTED)

    with _hearing_signals(heard):
        yield


@contextmanager
def _hearing_signals(call: Callable[[], None]) -> Iterator[None]:
    """Call this at each signal that asks the process to end, in place of what it would do.

    They are heard by a thread of its own: the main one, which Python tells of them, may be in a
    call of Ray's that never returns, since Ray's server is dead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a notebook, say: its own handling of signals stands
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        numbers.append(signal.SIGHUP)
    heard, told = os.pipe()
    os.set_blocking(told, False)  # the interpreter writes into it each signal that comes

    def listen() -> None:
        while byte := os.read(heard, 1):
            if byte[0] in numbers:
                call()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    told_before = signal.set_wakeup_fd(told)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(told_before)
        os.close(told)
        listener.join()
        os.close(heard)


def exit_now(folder: RunFolder, command: str = "resume") -> None:
    """End this process at once. Every event is in the journal, and Ray's processes end with this
    one.

    Ray itself may be what does not answer: the SIGTERM of a supervisor reaches its processes too.
    """
    tell(f"\nEnded at once. Go on with:  python -m sweeper {command} {folder.called}")
    os._exit(ExitCode.INTERRUPTED)


def tell(message: str) -> None:
    """Print on standard error. Nothing depends on it: the terminal may be gone or stand still."""

    def write() -> None:
        with contextlib.suppress(OSError, ValueError):
            print(message, file=sys.stderr, flush=True)

    teller = threading.Thread(target=write, daemon=True)
    teller.start()
    teller.join(TELL_SECONDS)
