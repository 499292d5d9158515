"""The screen that everything is written to.

What is written is text, never markup: names, paths, descriptions and errors are the users', and a
`[/]` or `:cat:` in them stands for itself. What is to stand out is a `Text` with a style.
"""

import io
import os

from rich.console import Console

NO_SCREEN_WIDTH = 10_000  # a pipe breaks no line


def make_console(*, quiet: bool = False, record_width: int | None = None) -> Console:
    """Of standard output. NO_COLOR, COLUMNS and TERM count as everywhere.

    Args:
        record_width: Print nothing, but keep what is written, for a screen of so many columns.
    """
    recording = record_width is not None
    console = Console(
        highlight=False, markup=False, emoji=False, soft_wrap=True, quiet=quiet,
        file=io.StringIO() if recording else None, record=recording, width=record_width,
    )  # fmt: skip
    if recording:
        return console
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = NO_SCREEN_WIDTH
    return console
