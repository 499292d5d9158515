"""What a run shows: a line a report and, in a terminal, a bar with the time left below them."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainable.loop.report import Report


class ConsoleLog:
    """A context: the bar is drawn inside it, and taken away at its end."""

    def __init__(self, *, step: int, max_steps: int) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("training", total=max_steps, completed=step)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step_done(self, step: int) -> None:
        self._progress.update(self._task, completed=step)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)


def report_line(report: Report, max_steps: int) -> str:
    """One report as the line that people read while they wait."""
    elapsed = timedelta(seconds=round(report.train_seconds))
    parts = [
        f"step {report.step:>{len(str(max_steps))}}/{max_steps}",
        f"loss {report.train_loss:.4f}" if report.train_loss is not None else "loss -",
        f"lr {report.learning_rate:.2e}",
        f"grad norm {report.grad_norm:.2f}",
        f"{report.tokens_per_second:,.0f} tokens/s",
        f"{elapsed}",
    ]
    if report.val_loss is not None:
        parts.append(f"val loss {report.val_loss:.4f}")
        parts.append(f"perplexity {report.val_perplexity:.2f}")
    if report.val_bits_per_byte is not None:
        parts.append(f"{report.val_bits_per_byte:.3f} bits/byte")
    if report.skipped_steps:
        parts.append(f"{report.skipped_steps} skipped")
    return "  ".join(parts)
