"""How each of the programs ends: one message for what the user can put right, never a traceback."""

import io
import os
import sys
from collections.abc import Callable

from trainable.errors import UserError


def exit_code_of(work: Callable[[], int]) -> int:
    """What `work` returns; 2 for a mistake of the user's, with its message; 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the locale cannot show
    try:
        code = work()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, OSError) as error:  # an OSError: a file that cannot be read or written
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code
