"""What a person sees while a corpus is prepared (a bar in a terminal, plain lines elsewhere) and
when it is there."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from sweeper.corpus.meta import Meta
from sweeper.corpus.reading.names import printable
from trainable.config import TrainConfig

REFRESH_SECONDS = 0.1
LINE_SECONDS = 10.0
ENOUGH_TEXTS = 1000  # different ones in the validation text: no more are counted


def tell(console: Console, shown: str | Text | Table) -> None:
    """Print it if anybody reads it.

    Raises:
        OSError: the screen leads to a full disk.
    """
    try:
        console.print(shown, markup=False, highlight=False, soft_wrap=not isinstance(shown, Table))
    except SystemExit:  # rich exits where a pipe is closed, as by `… | head`
        console.quiet = True


def tell_meanwhile(console: Console, shown: str) -> None:
    """Print how far a preparation is, which a full disk behind the screen does not end."""
    with suppress(OSError):
        tell(console, shown)


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
        tell_meanwhile(
            self._console,
            f"{self.label}: {readable_bytes(self.done)} of {readable_bytes(self.total)}, "
            f"about {readable_seconds(seconds_left)} left",
        )

    def finish(self) -> None:
        self.done = self.total
        if self._bar is not None:
            self._show()


@contextmanager
def stage(label: str, total: int, console: Console | None) -> Iterator[Stage]:
    """Show the progress through `total` bytes on `console`; None shows nothing."""
    console = console or Console(quiet=True)
    if not console.is_terminal:
        tell_meanwhile(console, f"{label} ({readable_bytes(total)})")
        yield Stage(label, total, console, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
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


def thin_validation(meta: Meta, num_texts: int) -> list[str]:
    """What makes the validation loss of this folder say little, as sentences.

    Args:
        num_texts: The different ones among the validation documents, or at least so many.
    """
    remedy = f"give more text or a larger --val_fraction (it was {meta.val_fraction:g})"
    told = []
    windows, context = TrainConfig().eval_windows, TrainConfig().context_length
    if meta.val_tokens <= windows * context:
        told.append(
            f"validation has {meta.val_tokens:,} tokens, an evaluation reads {windows * context:,} "
            f"({windows} windows of {context:,}, unless a sweep says otherwise): its windows "
            f"overlap or are all the same; {remedy}"
        )
    texts = "a single text" if num_texts == 1 else f"{num_texts:,} different texts"
    if num_texts < ENOUGH_TEXTS and 2 * num_texts <= meta.val_documents:
        told.append(f"validation has {meta.val_documents:,} documents, but only {texts}; {remedy}")
    return told


def print_summary(
    console: Console, meta: Meta, out: Path | str, *, warnings: Sequence[str], notes: Sequence[str]
) -> None:
    """
    Raises:
        OSError: as `tell`.
    """
    num_files = sum(source.files for source in meta.sources)
    num_bytes = sum(source.bytes for source in meta.sources)
    files = "1 file" if num_files == 1 else f"{num_files:,} files"
    named = (printable(str(out)), "bold")
    tell(console, Text.assemble(named, f" from {files}, {readable_bytes(num_bytes)}"))
    rows = (
        ("training", meta.train_tokens, meta.documents - meta.val_documents, meta.train_bytes),
        ("validation", meta.val_tokens, meta.val_documents, meta.val_bytes),
    )
    table = Table(box=None, padding=(0, 2))
    table.add_column("")
    for heading in ("tokens", "documents", "text", "share"):
        table.add_column(heading, justify="right")
    for name, tokens, documents, text in rows:
        share = text / (meta.train_bytes + meta.val_bytes)
        table.add_row(name, f"{tokens:,}", f"{documents:,}", readable_bytes(text), f"{share:.1%}")
    for name, of in meta.val_sets.items():
        row = (
            f"validation, {name}",
            f"{of.tokens:,}",
            f"{of.documents:,}",
            readable_bytes(of.bytes),
        )
        table.add_row(*row)
    tell(console, table)
    lines = [_tokenizer_line(meta), *notes, *(f"warning: {warning}" for warning in warnings)]
    tell(console, "\n".join(f"  {line}" for line in lines))


def _tokenizer_line(meta: Meta) -> str:
    ends = f"token {meta.separator} ends each document"
    if meta.separator is None:
        ends = "no known end-of-text token: documents follow each other without one"
    return (
        f"tokenizer {meta.tokenizer}: {meta.vocab_size:,} tokens, "
        f"{meta.bytes_per_token:.2f} bytes a token; {ends}"
    )
