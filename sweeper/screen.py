"""What a person sees of a sweep: one live table in a terminal, plain lines elsewhere."""

import shlex
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from sweeper.format import count, duration, headline, number, size, swept
from sweeper.results import best_trial, objective, ranked, runner_up
from sweeper.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.status import Status
from sweeper.sweep import Metrics, Sweep, SweepState, Trial
from trainable.config import TrainConfig

STYLES = {
    Status.RUNNING: "cyan",
    Status.COMPLETED: "green",
    Status.PAUSED: "blue",
    Status.STOPPED: "dim",
    Status.DIVERGED: "magenta",
    Status.FAILED: "red",
    Status.INTERRUPTED: "yellow",
    Status.PENDING: "dim",
}
SHOWN_TRIALS = 30
REFRESH_SECONDS = 0.5


def trial_table(console: Console, state: SweepState, *, shown: int | None = None) -> RenderableType:
    """The trials, best first; a narrow screen shows fewer columns of them."""
    trials = ranked(state)
    rows = [_cells(state, trial) for trial in trials[:shown]]
    optional = ["tok/s", "perplexity", "left"]
    if all(not row["left"] for row in rows):
        optional.remove("left")
        _drop("left", rows)
    table = _table(rows, trials)
    endless = console.options.update(max_width=10_000)
    while optional and Measurement.get(console, endless, table).maximum > console.width:
        _drop(optional.pop(0), rows)
        table = _table(rows, trials)
    hidden = len(trials) - len(rows)
    return Group(table, Text(f"… and {hidden} more", style="dim")) if hidden else table


def _cells(state: SweepState, trial: Trial) -> dict[str, str]:
    """A row by column heading."""
    newest = trial.progress or trial.last_report or {}
    running = trial.status is Status.RUNNING
    return {
        "trial": trial.trial_id,
        **{
            key: swept(trial.values[key]) if key in trial.values else ""
            for key in state.spec.swept_names()
        },
        "step": f"{newest.get('step', 0)}/{trial.config.max_steps}",
        state.spec.objective.metric.removeprefix("val_"): number(objective(state, trial)),
        "perplexity": number((trial.last_report or {}).get("val_perplexity"), 2),
        "tok/s": count(newest.get("tokens_per_second")),
        "state": trial.status.value,
        "left": duration(seconds_left(trial)) if running else "",
    }


def _drop(heading: str, rows: list[dict[str, str]]) -> None:
    for row in rows:
        row.pop(heading, None)


def _table(rows: list[dict[str, str]], trials: list[Trial]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0] if rows else ():
        left = heading in {"trial", "state"}
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for row, trial in zip(rows, trials, strict=False):
        table.add_row(*row.values(), style=STYLES[trial.status])
    return table


def seconds_left(trial: Trial) -> float | None:
    """At the speed it has had so far; None before its first report."""
    newest = trial.progress or trial.last_report
    if newest is None or not newest["step"]:
        return None
    steps_left = trial.config.max_steps - int(newest["step"])
    return float(newest["train_seconds"]) / int(newest["step"]) * steps_left


def settings(trial: Trial) -> str:
    """The swept values of a trial in one line."""
    return ", ".join(f"{key} {swept(value)}" for key, value in trial.values.items())


class Screen:
    """Shows a running sweep (a `Watcher`)."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self._started = self._refreshed = time.monotonic()
        self._told_of_budget = False
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()

    def started(self, trial: Trial) -> None:
        if self._live is None and trial.attempts > 1:
            self._line(trial, f"started again from step {trial.step}")

    def reported(self, trial: Trial, reports: list[Metrics]) -> None:
        if self._live is not None:
            return
        for report in reports:
            if report["val_loss"] is not None:
                self._line(
                    trial,
                    f"step {report['step']}/{trial.config.max_steps}  "
                    f"val_loss {number(report['val_loss'])}  "
                    f"perplexity {number(report['val_perplexity'], 2)}  "
                    f"{count(report['tokens_per_second'])} tok/s",
                )

    def ended(self, trial: Trial) -> None:
        if self._live is None:
            again = trial.status is Status.PENDING
            what = "failed, and will be tried again" if again else trial.status.value
            self._line(trial, f"{what}: {headline(trial.error)}" if trial.error else what)

    def _line(self, trial: Trial, what: str) -> None:
        if self.console.quiet:
            return  # rich would lay it out all the same
        self.console.print(f"{trial.trial_id}  {settings(trial)}  {what}")

    def refresh(self, sweep: Sweep) -> None:
        self._tell_of_budget(sweep.state)
        now = time.monotonic()
        if self._live is None or now - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = now
        self._live.update(self._view(sweep), refresh=True)

    def _tell_of_budget(self, state: SweepState) -> None:
        """Once, where nothing more could be removed."""
        total, budget = state.checkpoints.total, state.spec.checkpoints.budget
        if budget is None or total <= budget or self._told_of_budget:
            return
        self._told_of_budget = True
        self.console.print(
            f"Checkpoints have {size(total)}, over their budget of {size(budget)}: running trials "
            "need their newest, completed ones their last. The sweep goes on; to need less, "
            "set max_concurrent."
        )

    def _view(self, sweep: Sweep) -> RenderableType:
        statuses = [trial.status for trial in sweep.trials.values()]
        ended = sum(status.ended for status in statuses)
        running = statuses.count(Status.RUNNING)
        line = Text(
            f"{ended}/{self.total} trials ended, {running} running, "
            f"{duration(time.monotonic() - self._started)} so far",
            style="bold",
        )
        rows = max(3, self.console.height - 6)
        return Group(line, trial_table(self.console, sweep.state, shown=min(rows, SHOWN_TRIALS)))

    def close(self, sweep: Sweep) -> None:
        if self._live is not None:
            self._live.stop()


def print_summary(console: Console, state: SweepState, folder: RunFolder) -> None:
    """The ranked trials, the winner, and what to do with it."""
    console.print(trial_table(console, state), soft_wrap=False)
    for watcher, error in state.failed_watchers.items():
        last_line = error.strip().splitlines()[-1]
        console.print(f"{watcher} failed and was left out: {last_line}", markup=False)
    if state.checkpoints.high_water:
        budget = state.spec.checkpoints.budget
        of = f" (budget {size(budget)})" if budget is not None else ""
        console.print(f"\nCheckpoints had {size(state.checkpoints.high_water)} at most{of}.")
    best = best_trial(state)
    if best is None:
        console.print("\nNo trial has completed yet, so there is no winner.")
        for trial in state.with_status(Status.FAILED)[:1]:
            console.print(
                f"Trial {trial.trial_id} failed: {headline(str(trial.error))}\n"
                f"  all of it: {folder.trial_error(trial.trial_id)}",
                markup=False,
            )
        return
    last = best.last_report or {}
    console.print(f"\n[bold green]Best: {settings(best)}[/]  (trial {best.trial_id})")
    console.print(
        f"  validation loss {number(last.get('val_loss'))}, "
        f"perplexity {number(last.get('val_perplexity'), 2)}, "
        f"{number(last.get('val_bits_per_byte'), 3)} bits per byte"
    )
    if (second := runner_up(state, best)) is not None:
        at = "" if second.step == best.step else f" at step {second.step}, where that one stopped"
        console.print(
            f"  ahead of {settings(second.trial)} (trial {second.trial.trial_id}) "
            f"by {number(second.margin)}{at}"
        )
    if best.checkpoint:
        console.print("Train it further:")
        console.print(f"  [bold]{train_command(best.config, folder, best)}[/]")


def train_command(config: TrainConfig, folder: RunFolder, trial: Trial) -> str:
    """The command that trains this trial's model for as many steps again."""
    checkpoint = folder.trial(trial.trial_id) / str(trial.checkpoint) / CHECKPOINT_FILE
    output = f"checkpoints/{folder.name}-{trial.trial_id}"
    return (
        f"python -m trainable --resume_from {shlex.quote(str(checkpoint))} "
        f"--max_steps {2 * config.max_steps} --output_dir {shlex.quote(output)}"
    )
