"""What a person sees of a sweep: one live table in a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Callable

from rich.console import Console

from sweeper.analysis.time_left import TimeLeft, TimeLeftEstimator
from sweeper.plan.plan import Plan
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.format import headline, size
from sweeper.views.terminal.live_view import (
    SteadyTable,
    live_view,
    metrics_line,
    progress_line,
    utc_now,
)
from trainable.loop.metrics import Metrics

REFRESH_SECONDS = 0.5
MOST_OF_THE_DRIVER = 0.05  # of its time goes into the screen, however many trials there are


class Screen(Watcher):
    """Shows a running sweep: a table that stays in its place, or lines."""

    def __init__(
        self,
        console: Console,
        plan: Plan,
        *,
        heading: Callable[[], None] = lambda: None,
        verbose: bool = False,
    ) -> None:
        """
        Args:
            heading: Prints what stands above the table, when the window has changed its size.
            verbose: Also print a line for every start, metrics and end, above the table if there is
                one.
        """
        self.console = console
        self.plan = plan
        self.verbose = verbose
        self._due = -math.inf
        self._ended = 0
        self._estimator: TimeLeftEstimator | None = None
        self._told_of_budget = False
        self._table = (
            SteadyTable(console, heading) if console.is_terminal and not console.quiet else None
        )

    @property
    def _in_lines(self) -> bool:
        return self._table is None or self.verbose

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
            what = trial.status.value
            if again:
                what = "failed, and will be tried again" if trial.error else "gives way for a while"
            self._line(trial, f"{what}: {headline(trial.error)}" if trial.error else what)

    def _line(self, trial: Trial, what: str) -> None:
        if self.console.quiet:
            return  # rich would lay it out all the same
        self.console.print(f"{trial.trial_id}  {point_text(trial.values)}  {what}")

    def refresh(self, state: SweepState) -> None:
        self._tell_of_budget(state)
        began = time.monotonic()
        if self.console.quiet or began < self._due:
            return
        if self._table is not None:
            left = self._time_left(state)
            view = live_view(self.console, state, state.num_trials, left, utc_now())
            self._table.show(view)
        elif (ended := sum(trial.status.ended for trial in state.trials.values())) > self._ended:
            self._ended = ended
            left = self._time_left(state)
            self.console.print(progress_line(state, state.num_trials, left, utc_now()))
        cost = time.monotonic() - began
        self._due = began + max(REFRESH_SECONDS, cost / MOST_OF_THE_DRIVER)

    def _tell_of_budget(self, state: SweepState) -> None:
        """Say once that the budget is exceeded and nothing more can be removed."""
        total, budget = state.checkpoints.total, state.spec.checkpoints.budget
        if budget is None or total <= budget or self._told_of_budget:
            return
        self._told_of_budget = True
        self.console.print(
            f"Checkpoints have {size(total)}, over their budget of {size(budget)}: running trials "
            "need their newest, completed ones their last. The sweep goes on; to need less, "
            "set max_concurrent."
        )

    def _time_left(self, state: SweepState) -> TimeLeft | None:
        self._estimator = self._estimator or TimeLeftEstimator(self.plan)
        return self._estimator.time_left(state)

    def close(self, state: SweepState) -> None:
        if self._table is not None:
            self._table.close()
