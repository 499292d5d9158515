"""What a person sees of a sweep: one live table in a terminal, plain lines elsewhere."""

import math
import time

from rich.console import Console
from rich.live import Live

from sweeper.analysis.noise import noise_of
from sweeper.analysis.time_left import TimeLeft, TimeLeftEstimator
from sweeper.engine.sweep import Sweep
from sweeper.record.ranking import Entrant, Margin, PointResult, Ranking, ranking_of
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.format import count, headline, number, size, title_of
from sweeper.views.next_steps import train_command
from sweeper.views.terminal.live_view import live_view, progress_line, utc_now
from sweeper.views.terminal.trial_table import trial_table
from trainable.loop.metrics import Metrics

REFRESH_SECONDS = 0.5
MAX_TIED = 4  # named in one line
MOST_OF_THE_DRIVER = 0.05  # of its time goes into the screen, however many trials there are


class Screen:
    """Shows a running sweep (a `Watcher`): a table that stays in its place, or lines."""

    def __init__(self, console: Console, total: int, *, verbose: bool = False) -> None:
        """
        Args:
            verbose: Lines of every start, report and end, above the table if there is one.
        """
        self.console = console
        self.total = total
        self.verbose = verbose
        self._due = -math.inf
        self._ended = 0
        self._estimator: TimeLeftEstimator | None = None
        self._told_of_budget = False
        self._live: Live | None = None
        if console.is_terminal and not console.quiet:
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()

    @property
    def _in_lines(self) -> bool:
        return self._live is None or self.verbose

    def started(self, trial: Trial) -> None:
        if trial.attempts > 1 and self._in_lines:
            self._line(trial, f"started again from step {trial.step}")
        elif self.verbose:
            self._line(trial, "started")

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        if not self._in_lines:
            return
        for metrics in rows:
            if metrics.val_loss is not None or self.verbose:
                self._line(trial, metrics_line(trial, metrics))

    def ended(self, trial: Trial) -> None:
        if self._in_lines:
            again = trial.status is Status.PENDING
            what = "failed, and will be tried again" if again else trial.status.value
            self._line(trial, f"{what}: {headline(trial.error)}" if trial.error else what)

    def _line(self, trial: Trial, what: str) -> None:
        if self.console.quiet:
            return  # rich would lay it out all the same
        self.console.print(f"{trial.trial_id}  {point_text(trial.values)}  {what}", markup=False)

    def refresh(self, sweep: Sweep) -> None:
        self._tell_of_budget(sweep.state)
        began = time.monotonic()
        if self.console.quiet or began < self._due:
            return
        if self._live is not None:
            left = self._time_left(sweep)
            view = live_view(self.console, sweep.state, self.total, left, utc_now())
            self._live.update(view, refresh=True)
        elif (ended := sum(trial.status.ended for trial in sweep.trials.values())) > self._ended:
            self._ended = ended
            left = self._time_left(sweep)
            self.console.print(progress_line(sweep.state, self.total, left, utc_now()))
        cost = time.monotonic() - began
        self._due = began + max(REFRESH_SECONDS, cost / MOST_OF_THE_DRIVER)

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

    def _time_left(self, sweep: Sweep) -> TimeLeft | None:
        self._estimator = self._estimator or TimeLeftEstimator(sweep.plan)
        return self._estimator.time_left(sweep.state)

    def close(self, sweep: Sweep) -> None:
        if self._live is not None:
            self._live.stop()


def metrics_line(trial: Trial, metrics: Metrics) -> str:
    """What a trial has measured, in one line."""
    parts = [f"step {metrics.step}/{trial.config.max_steps}"]
    if metrics.val_loss is not None:
        parts.append(f"val_loss {number(metrics.val_loss)}")
        parts.append(f"perplexity {number(metrics.val_perplexity, 2)}")
    else:
        parts.append(f"train_loss {number(metrics.train_loss)}")
    return "  ".join([*parts, f"{count(metrics.tokens_per_second)} tok/s"])


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
    ranking = ranking_of(state)
    if ranking.best is None:
        console.print("\nNo trial has completed yet, so there is no winner.")
        for trial in state.with_status(Status.FAILED)[:1]:
            console.print(
                f"Trial {trial.trial_id} failed: {headline(str(trial.error))}\n"
                f"  all of it: {folder.trial_error(trial.trial_id)}",
                markup=False,
            )
        return
    best = ranking.best.best.trial
    _print_best(console, state, ranking, ranking.best)
    if best.checkpoint:
        console.print("Train it further:")
        command = train_command(folder, best.trial_id, best.checkpoint, best.config.max_steps)
        console.print(f"  [bold]{command}[/]")


def _print_best(
    console: Console, state: SweepState, ranking: Ranking[Entrant], point: PointResult[Entrant]
) -> None:
    best, seeds = point.best.trial, len(point.values)
    of = f", the best of its {seeds} seeds" if seeds > 1 else ""
    last = best.last_evaluation
    assert last is not None, "the best has an objective"
    console.print(f"\n[bold green]Best: {point_text(best.values)}[/]  (trial {best.trial_id}{of})")
    console.print(
        f"  validation loss {number(last.val_loss)}, "
        f"perplexity {number(last.val_perplexity, 2)}, "
        f"{number(last.val_bits_per_byte, 3)} bits per byte"
    )
    if seeds > 1:
        metric = title_of(state.spec.objective.metric)
        console.print(f"  {metric} {number(point.mean)} in the mean over its seeds")
    if ranking.margin is not None:
        console.print(f"  {_margin_text(best, ranking.margin)}")
    noise = noise_of(ranking.points)
    if noise is not None and len(noise.tied) > 1:
        others = [point_text(other.point) for other in noise.tied[1:]]
        more = f" and {len(others) - MAX_TIED} more" if len(others) > MAX_TIED else ""
        console.print(f"  within the noise, so tied with {'; '.join(others[:MAX_TIED])}{more}")


def _margin_text(best: Trial, margin: Margin[Entrant]) -> str:
    """`ahead of learning_rate 0.01 (trial 0003) by 0.0120`, and where that was measured."""
    place = "behind" if margin.value < 0 else "ahead of"
    by = f"by {number(abs(margin.value))}"
    text = f"{place} {point_text(margin.trial.point)} (trial {margin.trial.trial_id}) {by}"
    if margin.step is None or margin.step == best.step:
        return text
    stopped = margin.trial.status is Status.STOPPED
    why = "where that one stopped" if stopped else "the last that both were evaluated at"
    return f"{text} at step {margin.step}, {why}"
