"""A sweep as a fold over its journal: what was tried, what was decided.

Applying the same events in the same order gives the same state. Nothing here knows of Ray, so a
simulator can drive it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sweeper.corpus.folder import CorpusFolder
from sweeper.record.journal import Event
from sweeper.record.state.checkpoints import CheckpointAccount, Stored, unneeded
from sweeper.record.state.retries import backoff_seconds
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.clock import clock_per_step
from sweeper.spec.domains.values import Scalar
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.scheduler import Promotion
from trainable.config import TrainConfig
from trainable.loop.metrics import Metrics
from trainable.model.model_size import num_params


@dataclass
class Trial:
    """One trial: its settings, its evaluations so far, its state."""

    trial_id: str
    values: dict[str, Scalar]
    config: TrainConfig
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
    failed_at: float | None = None  # Unix time; None once it has been tried again
    progress: Metrics | None = None  # the newest; for the eye, not in the journal

    @property
    def last_evaluation(self) -> Metrics | None:
        return self.evaluations[-1] if self.evaluations else None

    @property
    def step(self) -> int:
        """The last evaluated step."""
        return self.evaluations[-1].step if self.evaluations else 0

    def is_evaluation(self, metrics: Metrics) -> bool:
        """Whether they are for the scheduler; without the objective they are all the same."""
        step, config = metrics.step, self.config
        is_due = step % config.eval_every_steps == 0 or step >= config.max_steps
        return is_due or metrics.val_loss is not None or metrics.diverged

    @property
    def is_decided(self) -> bool:
        """The scheduler has stopped or paused it: it has nothing left to train. A completed trial
        is not among these: its final checkpoint may be missing."""
        return self.decision is not Decision.CONTINUE and self.outcome() is not Status.COMPLETED

    def waits(self, now: float) -> bool:
        """Whether it is too early to try it again. A clock that was set back does not count."""
        if self.failed_at is None:
            return False
        return 0 <= now - self.failed_at < backoff_seconds(self.failures + self.losses)

    def outcome(self) -> Status:
        """The status in which a trial ends that ends now, without an error."""
        last = self.last_evaluation
        if last is not None and last.diverged:
            return Status.DIVERGED
        return Status.COMPLETED if self.step >= self.config.max_steps else Status.STOPPED


class SweepState:
    """Trials and scheduler after a number of events."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.trials: dict[str, Trial] = {}
        self.checkpoints = CheckpointAccount()
        self.warm_start: WarmStart | None = None  # of `search.from`
        self.scheduler = make_scheduler(spec.scheduler, spec.objective.mode, spec.search.seed)
        self.sessions: list[Event] = []
        self.outcome: str | None = None  # how the last session ended
        self.failed_watchers: dict[str, str] = {}  # name -> traceback, in the last session

    def apply(self, event: Event) -> None:
        """Take one event of the journal into account."""
        trial = self.trials[event["trial"]] if "trial" in event else None
        match event["event"]:
            case "session_started":
                self.sessions.append(event)
                self.outcome = None
                self.failed_watchers = {}
                self.interrupt()
            case "session_ended":
                self.outcome = event["outcome"]
                self.interrupt()
            case "warm_started":
                self.warm_start = WarmStart.from_dict(event)
            case "trial_created":
                config = self._config(event)
                name = event["id"]
                self.trials[name] = Trial(name, event["values"], config)
                self.scheduler.added(name, config.max_steps * self._pace(config))
            case "trial_started" if trial:
                trial.status = Status.RUNNING
                trial.attempts += 1
                trial.error = trial.failed_at = None
            case "report" if trial:
                trial.evaluations.append(Metrics.from_mapping(event["metrics"]))
                trial.decision = Decision(event["decision"])
                trial.rung = event["rung"] or trial.rung
            case "checkpoint" if trial:
                self._stored(trial, event)
            case "checkpoint_removed" if trial:
                self.checkpoints.remove(trial.trial_id, event["checkpoint"])
            case "trial_paused" if trial:
                trial.status = Status.PAUSED
            case "promoted" if trial:
                self._go_on(trial, event)
            case "exploited" if trial:
                trial.values = event["values"]
                trial.config = self._config(event)
                self._stored(trial, event)
                self._go_on(trial, event)
            case "attempt_failed" if trial:
                trial.status, trial.error = Status.PENDING, event["error"]
                trial.failed_at = datetime.fromisoformat(event["time"]).timestamp()
                counted = event.get("counted", True)
                trial.failures += counted
                trial.losses += not counted
            case "retried" if trial:
                trial.status, trial.error = Status.PENDING, None
                trial.failures, trial.failed_at = 0, None
            case "trial_ended" if trial:
                trial.status = Status(event["status"])
                trial.error = event["error"]
                trial.failures += trial.status is Status.FAILED
                self.scheduler.ended(trial.trial_id)
            case "watcher_failed":
                self.failed_watchers[event["watcher"]] = event["error"]
            case unknown:
                raise ValueError(f"an event that this version does not know: {unknown!r}")
        if trial:
            self._drop_checkpoints(trial)

    def _stored(self, trial: Trial, event: Event) -> None:
        stored = Stored(
            trial.trial_id, event["checkpoint"], event.get("bytes", 0), event.get("step")
        )
        found = event.get("found", False)
        self.checkpoints.add(stored, num_params(trial.config), found=found)

    def _drop_checkpoints(self, trial: Trial) -> None:
        """Those that the trial needs no more: that it has landed, or ended, is told already."""
        keep = self.spec.checkpoints.keep
        for stored in unneeded(self.checkpoints, trial.trial_id, trial.status, keep):
            self.checkpoints.remove(trial.trial_id, stored.name)
        newest = self.checkpoints.newest(trial.trial_id)
        trial.checkpoint = newest.name if newest else None
        trial.checkpoint_step = newest.step if newest else None

    def _config(self, event: Event) -> TrainConfig:
        data = CorpusFolder(Path(self.spec.data)).of_trials if self.spec.data else {}  # it may move
        return TrainConfig.from_mapping({**event["config"], **data})

    def _go_on(self, trial: Trial, event: Event) -> None:
        trial.status, trial.decision = Status.PENDING, Decision.CONTINUE
        self.scheduler.promote(Promotion(trial.trial_id, event["rung"], event.get("source")))

    def interrupt(self) -> None:
        """Without a driver nothing runs."""
        for trial in self.trials.values():
            if trial.status is Status.RUNNING:
                trial.status = Status.INTERRUPTED

    def with_status(self, *statuses: Status) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.status in statuses]

    def _pace(self, config: TrainConfig) -> int:
        return clock_per_step(config, self.spec.scheduler.clock)

    def judge(self, trial: Trial, metrics: Metrics) -> dict[str, Any]:
        """Give an evaluation to the scheduler, once; the verdict as fields of its event."""
        value = metrics.value(self.spec.objective.metric)
        step, max_steps = metrics.step, trial.config.max_steps
        pace = self._pace(trial.config)
        verdict = self.scheduler.report(trial.trial_id, step * pace, value, max_steps * pace)
        ended = metrics.diverged or step >= max_steps
        decision = Decision.STOP if ended else verdict.decision
        return {
            "decision": decision.value,
            "rung": verdict.rung,
            "rank": verdict.rank,
            "of": verdict.of,
        }
