"""What a person sees while a corpus is prepared: a bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

REFRESH_SECONDS = 0.1
LINE_SECONDS = 10.0


class Stage:
    """How far one pass over the inputs is; `advance` is cheap enough to call for every line."""

    def __init__(self, label: str, total: int, console: Console, bar: Progress | None) -> None:
        self.label, self.total, self.done = label, total, 0
        self._console, self._bar = console, bar
        self._task = None if bar is None else bar.add_task(label, total=total)
        self._started = time.monotonic()
        self._next_refresh = self._started + self._interval

    @property
    def _interval(self) -> float:
        return LINE_SECONDS if self._bar is None else REFRESH_SECONDS

    def advance(self, num_bytes: int) -> None:
        self.done += num_bytes
        if time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + self._interval
            self._show()

    def _show(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done)
            return
        seconds_left = (time.monotonic() - self._started) * (self.total / max(1, self.done) - 1)
        self._console.print(
            f"{self.label}: {readable_bytes(self.done)} of {readable_bytes(self.total)}, "
            f"about {readable_seconds(seconds_left)} left",
            highlight=False,
        )

    def finish(self) -> None:
        self.done = self.total
        if self._bar is not None:
            self._show()


@contextmanager
def stage(label: str, total: int, console: Console | None) -> Iterator[Stage]:
    """Progress through `total` bytes, shown on `console`; None shows nothing."""
    console = console or Console(quiet=True)
    if not console.is_terminal:
        console.print(f"{label} ({readable_bytes(total)})", highlight=False)
        yield Stage(label, total, console, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        shown = Stage(label, total, console, bar)
        yield shown
        shown.finish()


def readable_bytes(num_bytes: float) -> str:
    """`11.2 MB`, in powers of ten as disks and rich's bar count them."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} bytes" if unit == "bytes" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


def readable_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
