"""The screen that everything is written to.

What is written is text, never markup: names, paths, descriptions and errors are the users', and a
`[/]` or `:cat:` in them stands for itself. What is to stand out is a `Text` with a style.
"""

import os

from rich.console import Console

NO_SCREEN_WIDTH = 10_000  # a pipe breaks no line


def make_console(*, quiet: bool = False) -> Console:
    """Of standard output. NO_COLOR, COLUMNS and TERM count as everywhere."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, quiet=quiet)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = NO_SCREEN_WIDTH
    return console
