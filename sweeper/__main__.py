"""`python -m sweeper`: its streams, its signals, and how a command ends that cannot be done."""

import os
import signal
import sys
from io import TextIOWrapper
from typing import TextIO

from sweeper.commands.cli import app
from sweeper.errors import StorageError, is_storage_error
from sweeper.status import ExitCode
from trainable.errors import UserError


def main() -> None:
    """Run the command line; a mistake of the user's ends in one message and exit code 2."""
    _open_streams()
    # SIGTERM ends a command as Ctrl-C does, with exit code 130, after it has cleaned up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if not is_storage_error(error) or error.filename is not None:
            raise
        _leave_out(sys.stdout)
        try:
            told = f"standard output: cannot be written ({error.strerror})"
            print(told, file=sys.stderr, flush=True)
        except OSError:
            _leave_out(sys.stderr)
        sys.exit(ExitCode.FAILED)
    except UserError as error:
        print(error, file=sys.stderr)
        not_theirs = isinstance(error, StorageError)
        sys.exit(ExitCode.FAILED if not_theirs else ExitCode.USER_ERROR)
    except KeyboardInterrupt:  # before the sweep has begun
        sys.exit(ExitCode.INTERRUPTED)


def _leave_out(stream: TextIO) -> None:
    """What is left to print goes nowhere, or Python would try it again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_streams() -> None:
    """Have the standard outputs be there, and take every letter. A stream that is closed (`>&-`) is
    None in Python, and its number would go to the next file that is opened. A closed input stays
    None: who reads it says so."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            if (opened := os.open(os.devnull, os.O_RDWR)) != number:
                os.dup2(opened, number)
            if name != "stdin":
                setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # the terminal may lack the letters of a name


if __name__ == "__main__":
    main()
