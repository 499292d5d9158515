"""Who looks on while a sweep runs: its files, the screen, Weights & Biases, Ray's metrics."""

from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from trainable.loop.metrics import Metrics


class Watcher:
    """Is told what has happened, once it is in the journal. This base class does nothing with
    it."""

    keeps_the_record = False  # whether a sweep must stop where this can write no more

    def started(self, trial: Trial) -> None:
        """An attempt at the trial begins."""

    def measured(self, trial: Trial, rows: list[Metrics]) -> None:
        """The trial has measured this, in order of step: at evaluations and between them."""

    def ended(self, trial: Trial) -> None:
        """The trial has left its actor: it is paused, waits for another attempt, or has ended."""

    def refresh(self, state: SweepState) -> None:
        """Called several times a second."""

    def close(self, state: SweepState) -> None:
        """The session ends."""
