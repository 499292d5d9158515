"""Who looks on while a sweep runs: its files, the screen, Weights & Biases, Ray's metrics."""

from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from trainable.loop.metrics import Metrics


class Watcher:
    """Told of what has happened, after it is in the journal. By itself it does nothing with it."""

    keeps_the_record = False  # whether a sweep must stop where this can write no more

    def started(self, trial: Trial) -> None:
        """An attempt at the trial begins."""

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        """What the trial has measured since, in order of step; evaluations and what lies
        between."""

    def ended(self, trial: Trial) -> None:
        """The trial has left its actor: it is paused, waits for another attempt, or is at its
        end."""

    def refresh(self, state: SweepState) -> None:
        """Called several times a second."""

    def close(self, state: SweepState) -> None:
        """The session ends."""
