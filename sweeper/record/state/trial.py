"""A trial as the journal knows it: its settings, its evaluations, its state."""

from dataclasses import dataclass, field

from sweeper.spec.clock import Clock, clock_per_step
from sweeper.spec.domains.values import Scalar
from sweeper.spec.trainer.config import AnyConfig
from sweeper.status import Decision, Status
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


@dataclass
class Trial:
    """One trial: its settings, its evaluations so far, its state."""

    trial_id: str
    values: dict[str, Scalar]
    config: AnyConfig
    status: Status = Status.PENDING
    evaluations: list[Metrics] = field(default_factory=list)
    decision: Decision = Decision.CONTINUE
    rung: int | None = None  # the highest reached, on the scheduler's clock
    checkpoint: str | None = None  # folder name of the newest one
    checkpoint_step: int | None = None  # at which it was made; None: not known
    error: str | None = None  # of its last attempt, until the next begins
    attempts: int = 0
    failures: int = 0  # attempts that failed, but for those that were lost
    losses: int = 0  # attempts lost with their node, which was not the trial's fault
    losses_in_a_row: int = 0  # of these, since it has last come any further
    failed_at: float | None = None  # Unix time; None once it has been tried again
    progress: Metrics | None = None  # the newest; for the eye, not in the journal
    taken_from: str | None = None  # as `trial 0003 of runs/lr`: it has run there, and not here
    forked_from: str | None = None  # the trial that has its first steps
    forked_at: int = 0  # so many
    stopped_by_hand: bool = False  # it ends with what it has come to
    is_final: bool = False  # of the finals, so that the search and the scheduler know nothing of it

    @property
    def last_evaluation(self) -> Metrics | None:
        return self.evaluations[-1] if self.evaluations else None

    @property
    def step(self) -> int:
        """The last evaluated step."""
        return self.evaluations[-1].step if self.evaluations else 0

    def curve(self, metric: str, clock: Clock) -> dict[int, float]:
        """The metric over the time on this clock, where it was evaluated."""
        pace = clock_per_step(self.config, clock)
        seen = ((evaluation.step, evaluation.value(metric)) for evaluation in self.evaluations)
        return {step * pace: value for step, value in seen if value is not None}

    def is_evaluation(self, metrics: Metrics, evaluated_by: str = "val_loss") -> bool:
        """Whether they are for the scheduler; of our trainer also without the objective.

        Args:
            evaluated_by: The metric that makes them so.
        """
        step, config = metrics.step, self.config
        is_due = step % config.eval_every_steps == 0 or step >= config.max_steps
        if is_due and isinstance(config, TrainConfig):
            return True
        return metrics.value(evaluated_by) is not None or metrics.diverged

    @property
    def is_decided(self) -> bool:
        """Whether the scheduler has stopped or paused it, so that it has nothing left to train. A
        completed trial is not decided in this sense: its final checkpoint may be missing."""
        return self.decision is not Decision.CONTINUE and self.outcome() is not Status.COMPLETED

    def waits(self, now: float) -> bool:
        """Whether it is too early to try it again. A clock that was set back makes it no longer."""
        if self.failed_at is None:
            return False
        return 0 <= now - self.failed_at < backoff_seconds(self.failures + self.losses)

    def outcome(self) -> Status:
        """The status that the trial has if it ends now, without an error."""
        last = self.last_evaluation
        if last is not None and last.diverged:
            return Status.DIVERGED
        return Status.COMPLETED if self.step >= self.config.max_steps else Status.STOPPED


def backoff_seconds(failed_attempts: int) -> float:
    """1, 2, 4, … seconds, at most a minute: time for a brief disturbance to pass."""
    if failed_attempts < 1:
        return 0.0
    doublings = min(failed_attempts - 1, 10)  # a float does not hold 2 ** 2000
    return float(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**doublings))
