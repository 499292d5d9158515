"""A sweep at one moment, as a screen shows it: how far it is, how long it will take, its trials."""

import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from sweeper.analysis.time_left import TimeLeft
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.status import Status
from sweeper.views.format import count, duration, number
from sweeper.views.terminal.trial_table import trial_table
from trainable.loop.metrics import Metrics

SHOWN_TRIALS = 30
PAGE_WIDTH = 100
OTHER_LINES = 6  # of the screen: what is above and below the table


class SteadyTable:
    """The lowest part of a terminal, drawn again and again in its place, until it is closed, which
    takes it away."""

    def __init__(self, console: Console, heading: Callable[[], None] = lambda: None) -> None:
        """
        Args:
            heading: Prints again what stands above. In a window of another width the lines that
                are there are broken anew, or cut, as the terminal likes it: so all is drawn again.
        """
        self.console = console
        self.heading = heading
        self._size = console.size
        self._live = self._begun()

    def _begun(self) -> Live:
        live = Live(console=self.console, auto_refresh=False, transient=True)
        live.start()
        return live

    def show(self, view: RenderableType) -> None:
        if self.console.size != self._size:
            self._size = self.console.size
            self._live.stop()
            self.console.clear()
            self.heading()
            self._live = self._begun()
        self._live.update(view, refresh=True)

    def close(self) -> None:
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def live_view(
    console: Console, state: SweepState, num_trials: int, left: TimeLeft | None, now: datetime
) -> RenderableType:
    """The view for a screen that is drawn again and again. It is never higher than the screen."""
    shown = min(SHOWN_TRIALS, max(3, console.height - OTHER_LINES))
    lines = textwrap.wrap(progress_line(state, num_trials, left, now), console.width)
    return Group(Text("\n".join(lines), style="bold"), trial_table(console, state, shown=shown))


def progress_line(
    state: SweepState, num_trials: int, left: TimeLeft | None, now: datetime | None
) -> str:
    """For example `3/8 trials ended, 2 running, 1m02s so far, about 2m10s left (at most 3m40s)`.

    Args:
        now: None if the sweep does not run.
    """
    ended = sum(trial.status.ended for trial in state.trials.values())
    parts = [f"{ended}/{num_trials} trials ended"]
    for status in (Status.RUNNING, Status.PAUSED):
        if number := len(state.with_status(status)):
            parts.append(f"{number} {status.value}")
    account = state.checkpoints
    if waiting := sum(account.promised_to(fork) is None for fork in account.promised):
        parts.append(f"{waiting} waiting for a trunk")
    if (finals := finals_text(state)) is not None:
        parts.append(finals)
    if now is not None and state.sessions:
        session = state.sessions[-1]
        if session.waits_for is not None:
            parts.append(f"waiting for {session.waits_for}")
        parts.append(f"{duration(session.worked(now).total_seconds())} so far")
    if left is not None and left.at_most:
        parts.append(time_left_text(left))
    return ", ".join(parts)


def finals_text(state: SweepState) -> str | None:
    """Where its finals are; None if it has none, or they are over."""
    if (finals := state.finals) is None or finals.ended is not None:
        return None
    if finals.begun is None:
        return f"then finals of at most {finals.most_trials}"
    seeds = {state.trials[trial_id].config.seed for trial_id in finals.trials}
    of = len(finals.begun.seeds)
    return f"finals of {len(finals.points)} points: seed {len(seeds)} of at most {of}"


def time_left_text(left: TimeLeft) -> str:
    expected, at_most = duration(left.expected), duration(left.at_most)
    return f"about {expected} left" + ("" if at_most == expected else f" (at most {at_most})")


def metrics_line(trial: Trial, metrics: Metrics) -> str:
    """What a trial has measured, in one line."""
    parts = [f"step {metrics.step}/{trial.config.max_steps}"]
    if metrics.val_loss is not None:
        parts.append(f"val_loss {number(metrics.val_loss)}")
    elif metrics.train_loss is not None:
        parts.append(f"train_loss {number(metrics.train_loss)}")
    parts += [f"{name} {number(value)}" for name, value in metrics.others.items()]
    if metrics.val_perplexity is not None:
        parts.append(f"perplexity {number(metrics.val_perplexity, 2)}")
    if metrics.tokens_per_second is not None:
        parts.append(f"{count(metrics.tokens_per_second)} tok/s")
    return "  ".join(parts)


def screen_width(console: Console) -> int:
    """The width of the screen, but no more than that of a page."""
    return min(console.width, PAGE_WIDTH)


def utc_now() -> datetime:
    return datetime.now(UTC)
