"""What a run shows: a line of metrics as they come and, in a terminal, a bar below them."""

import os
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainable.loop.metrics import Metrics


class LastingConsole(Console):
    """Plain text, for a reader who may go away as `| head` does: the run goes on in silence."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def say(text: str) -> None:
    LastingConsole().print(text)


class ConsoleLog:
    """A context: the bar is drawn inside it and removed at its end."""

    def __init__(self, *, step: int, max_steps: int) -> None:
        self._console = LastingConsole()
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
        self._console.print(text)


def metrics_line(metrics: Metrics, max_steps: int) -> str:
    """Metrics as the line that people read while they wait; `-` for what is no number."""
    parts = [
        f"step {metrics.step:>{len(str(max_steps))}}/{max_steps}",
        f"loss {_number(metrics.train_loss, '.4f')}",
        f"lr {_number(metrics.learning_rate, '.2e')}",
        f"grad norm {_number(metrics.grad_norm, '.2f')}",
        f"{_number(metrics.tokens_per_second, ',.0f')} tokens/s",
        f"{timedelta(seconds=round(metrics.train_seconds or 0))}",
    ]
    if metrics.val_loss is not None:
        parts.append(f"val loss {metrics.val_loss:.4f}")
        parts.append(f"perplexity {_number(metrics.val_perplexity, '.2f')}")
    if metrics.val_loss_ema is not None:
        parts.append(f"val loss of the average {metrics.val_loss_ema:.4f}")
    parts += [f"{name.replace('_', ' ')} {loss:.4f}" for name, loss in metrics.others.items()]
    if metrics.val_bits_per_byte is not None:
        parts.append(f"{metrics.val_bits_per_byte:.3f} bits/byte")
    if metrics.skipped_steps:
        parts.append(f"{metrics.skipped_steps} skipped")
    return "  ".join(parts)


def _number(value: float | None, layout: str) -> str:
    return "-" if value is None else format(value, layout)
