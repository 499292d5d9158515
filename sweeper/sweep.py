"""A sweep as a fold over its journal: what was tried, what was decided, what comes next.

Every change is an event: it is on disk before it takes effect, and applying the same events in
the same order gives the same state. Nothing here knows of Ray, so a simulator can drive it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from sweeper.checkpoint_keeper import CheckpointKeeper
from sweeper.checkpoints import CheckpointAccount, Stored, unneeded
from sweeper.clock import clock_per_step
from sweeper.errors import RunFolderError, StorageError
from sweeper.journal import Event, Journal, damaged_line, read_journal
from sweeper.plan import Plan, PlannedTrial, data_files
from sweeper.retries import backoff_seconds
from sweeper.run_folder import RunFolder, write_json
from sweeper.scheduler import Promotion, make_scheduler
from sweeper.searcher import make_searcher
from sweeper.session import Session
from sweeper.space import Scalar
from sweeper.spec import SweepSpec
from sweeper.status import Decision, Status
from sweeper.warm_start import WarmStart
from trainable.config import TrainConfig
from trainable.errors import ConfigError
from trainable.model_size import num_params

Metrics = dict[str, Any]  # `trainable.report.Report.to_dict()`


@dataclass
class Trial:
    """One trial: its settings, its evaluations so far, its state."""

    trial_id: str
    values: dict[str, Scalar]
    config: TrainConfig
    status: Status = Status.PENDING
    reports: list[Metrics] = field(default_factory=list)
    decision: Decision = Decision.CONTINUE
    rung: int | None = None  # the highest reached, on the scheduler's clock
    checkpoint: str | None = None  # folder name of the newest one
    error: str | None = None  # of its last attempt, until the next begins
    attempts: int = 0
    failures: int = 0  # attempts that failed, but for those that were lost
    losses: int = 0  # attempts lost with their node, which was not the trial's fault
    failed_at: float | None = None  # Unix time; None once it has been tried again
    progress: Metrics | None = None  # newest report of any kind; for the eye, not in the journal

    @property
    def last_report(self) -> Metrics | None:
        return self.reports[-1] if self.reports else None

    @property
    def step(self) -> int:
        """The last evaluated step."""
        return int(self.reports[-1]["step"]) if self.reports else 0

    def is_evaluation(self, metrics: Metrics) -> bool:
        """Whether a report is one for the scheduler; without the metric it is one all the same."""
        step, config = metrics["step"], self.config
        is_due = step % config.eval_every_steps == 0 or step >= config.max_steps
        return is_due or metrics["val_loss"] is not None or metrics["diverged"]

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
        last = self.last_report
        if last is not None and last["diverged"]:
            return Status.DIVERGED
        return Status.COMPLETED if self.step >= self.config.max_steps else Status.STOPPED


class SweepState:
    """Trials and scheduler after a number of events."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.trials: dict[str, Trial] = {}
        self.scheduler = make_scheduler(spec.scheduler, spec.objective.mode)
        self.checkpoints = CheckpointAccount()
        self.warm_start: WarmStart | None = None  # of `search.from`
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
                data = data_files(Path(self.spec.data)) if self.spec.data else {}  # it may move
                config = TrainConfig.from_mapping({**event["config"], **data})
                name = event["id"]
                self.trials[name] = Trial(name, event["values"], config)
            case "trial_started" if trial:
                trial.status = Status.RUNNING
                trial.attempts += 1
                trial.error = trial.failed_at = None
            case "report" if trial:
                trial.reports.append(event["metrics"])
                trial.decision = Decision(event["decision"])
                trial.rung = event["rung"] or trial.rung
            case "checkpoint" if trial:
                stored = Stored(trial.trial_id, event["checkpoint"], event.get("bytes", 0))
                found = event.get("found", False)
                self.checkpoints.add(stored, num_params(trial.config), found=found)
            case "checkpoint_removed" if trial:
                self.checkpoints.remove(trial.trial_id, event["checkpoint"])
            case "trial_paused" if trial:
                trial.status = Status.PAUSED
            case "promoted" if trial:
                trial.status, trial.decision = Status.PENDING, Decision.CONTINUE
                self.scheduler.promote(Promotion(trial.trial_id, event["rung"]))
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
            case "watcher_failed":
                self.failed_watchers[event["watcher"]] = event["error"]
            case unknown:
                raise ValueError(f"an event that this version does not know: {unknown!r}")
        if trial:
            self._drop_checkpoints(trial)

    def _drop_checkpoints(self, trial: Trial) -> None:
        """Those that the trial needs no more: that it has landed, or ended, is told already."""
        keep = self.spec.checkpoints.keep
        for stored in unneeded(self.checkpoints, trial.trial_id, trial.status, keep):
            self.checkpoints.remove(trial.trial_id, stored.name)
        newest = self.checkpoints.newest(trial.trial_id)
        trial.checkpoint = newest.name if newest else None

    def interrupt(self) -> None:
        """Without a driver nothing runs."""
        for trial in self.trials.values():
            if trial.status is Status.RUNNING:
                trial.status = Status.INTERRUPTED

    def with_status(self, *statuses: Status) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.status in statuses]

    def judge(self, trial: Trial, metrics: Metrics) -> dict[str, Any]:
        """Give an evaluation to the scheduler, once; the verdict as fields of its event."""
        value = metrics.get(self.spec.objective.metric)
        step, max_steps = metrics["step"], trial.config.max_steps
        pace = clock_per_step(trial.config, self.spec.scheduler.clock)
        verdict = self.scheduler.report(trial.trial_id, step * pace, value, max_steps * pace)
        ended = metrics["diverged"] or step >= max_steps
        decision = Decision.STOP if ended else verdict.decision
        return {
            "decision": decision.value,
            "rung": verdict.rung,
            "rank": verdict.rank,
            "of": verdict.of,
        }


def replay(spec: SweepSpec, folder: RunFolder) -> SweepState:
    """The state that a folder's journal leads to.

    Raises:
        RunFolderError: the journal is damaged, or its decisions are not those of its spec.
    """
    state = SweepState(spec)
    for number, event in enumerate(read_journal(folder.journal), start=1):
        replay_event(state, event, folder, number)
    if not state.sessions and folder.trials.is_dir() and any(folder.trials.iterdir()):
        raise damaged_line(f"{folder.journal}:1", "it is missing, but trials have been run")
    return state


def replay_event(state: SweepState, event: Event, folder: RunFolder, number: int) -> None:
    """Apply a recorded event: line `number` of the folder's journal.

    Raises:
        RunFolderError: its decision is not that of the spec, or no sweep has written it there.
    """
    where = f"{folder.journal}:{number}"
    try:
        if event["event"] == "report":
            verdict = state.judge(state.trials[event["trial"]], event["metrics"])
            recorded = {key: event[key] for key in verdict}
            if verdict != recorded:
                raise RunFolderError(
                    f"{where}: trial {event['trial']} at step {event['metrics']['step']} got "
                    f"{_told(recorded)}, but {folder.spec.name} leads to {_told(verdict)}; "
                    "was it edited? Put the old one back."
                )
        state.apply(event)
        if not state.sessions:
            raise ValueError("the first event must be session_started")
    except (LookupError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise damaged_line(where, f"{type(error).__name__}: {error}") from None


def _told(verdict: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in verdict.items())


class Sweep:
    """A sweep at work: its state, and the journal that each change goes through first."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        session: Session | None = None,
        warm_start: WarmStart | None = None,
    ) -> None:
        """Open the folder's journal and fold over what is in it. The caller holds its lock.

        Args:
            warm_start: What `search.from` has found out; needed until the journal has it.
        """
        self.folder = folder
        self.plan = plan
        is_new = not folder.journal.exists()
        self.state = SweepState(plan.spec) if is_new else replay(plan.spec, folder)
        self.journal = Journal(folder.journal)
        session = session or Session()
        self._record("session_started", torn=self.journal.torn, **session.to_dict())
        if warm_start is not None and self.state.warm_start is None:
            self._record("warm_started", **warm_start.to_dict())
        earlier = self.state.warm_start.observations if self.state.warm_start else ()
        self._searcher = make_searcher(plan, earlier)
        for trial in self.state.with_status(Status.FAILED) if session.retry_failed else ():
            self._record("retried", trial=trial.trial_id)
        self.checkpoints = CheckpointKeeper(self.state, folder, self._record)
        self.checkpoints.compare_with_storage()
        for trial in self.state.with_status(Status.PENDING, Status.INTERRUPTED):
            if trial.is_decided:  # the kill came between the decision and its effect
                self.release(trial.trial_id)
        self._waiting = self.state.with_status(Status.PENDING, Status.INTERRUPTED)
        self._storage_failure: StorageError | None = None

    def _record(self, event: str, **fields: Any) -> None:
        self.state.apply(self.journal.append(event, **fields))

    @property
    def trials(self) -> dict[str, Trial]:
        return self.state.trials

    @property
    def is_over(self) -> bool:
        """Nothing is left to hand out, now or later: what runs may fail, and be tried again."""
        return len(self.trials) >= len(self.plan.trials) and all(
            trial.status.ended for trial in self.trials.values()
        )

    @property
    def failure(self) -> StorageError | None:
        """Why the sweep has had to stop."""
        return self.journal.failure or self._storage_failure

    def next_trial(self) -> Trial | None:
        """The next one to run, from its newest checkpoint: what an earlier session left or what
        has failed a while ago, then who has earned a promotion, then the plan's next. None: there
        is none, or not yet."""
        now = time.time()
        for trial in self._waiting:
            if not trial.waits(now):
                self._waiting.remove(trial)
                return trial
        paused = {trial.trial_id for trial in self.state.with_status(Status.PAUSED)}
        if paused and (promotion := self.state.scheduler.promotion(paused)) is not None:
            return self._promote(promotion)
        if len(self.trials) < len(self.plan.trials):
            return self._create(self._searcher.next(list(self.trials.values())))
        if paused and not self.state.with_status(Status.PENDING, Status.RUNNING):
            return self._settle(paused)
        return None

    def _create(self, planned: PlannedTrial) -> Trial:
        config = planned.config.to_dict()
        path = self.folder.trial_config(planned.trial_id)
        try:
            write_json(path, config)
        except OSError as error:
            self.storage_failed(f"{path}: cannot be written ({error.strerror})")
        self._record(
            "trial_created", id=planned.trial_id, values=planned.suggestion.values, config=config
        )
        return self.trials[planned.trial_id]

    def _promote(self, promotion: Promotion) -> Trial:
        self._record("promoted", trial=promotion.trial_id, rung=promotion.rung)
        return self.trials[promotion.trial_id]

    def _settle(self, paused: set[str]) -> Trial | None:
        """No one else comes: those paused have lost, but a sweep must have one that completed."""
        if not self.state.with_status(Status.COMPLETED):
            favourite = self.state.scheduler.favourite(paused)
            if favourite is not None:
                return self._promote(favourite)
        for trial_id in sorted(paused):
            self.end(trial_id)
        return None

    def start(self, trial_id: str) -> None:
        self._record("trial_started", trial=trial_id)
        self.checkpoints.started(trial_id)

    def report(self, trial_id: str, metrics: Metrics) -> Decision:
        """Record an evaluation and decide.

        A step that was reported before (the trial went back to a checkpoint) is not recorded
        again: the decision of that time stands.
        """
        trial = self.trials[trial_id]
        if metrics["step"] < trial.step:
            return Decision.CONTINUE
        if metrics["step"] > trial.step:
            self._record(
                "report", trial=trial_id, metrics=metrics, **self.state.judge(trial, metrics)
            )
        return trial.decision

    def checkpointed(self, trial_id: str, checkpoint: str) -> None:
        self.checkpoints.landed(trial_id, checkpoint)

    def attempt_failed(self, trial_id: str, error: str, *, counted: bool = True) -> None:
        """An attempt ended in an error: the trial is tried again after a while, or has failed.

        Args:
            counted: Among the failures that a trial may have, of which the last one ends it.
        """
        trial = self.trials[trial_id]
        if counted and trial.failures >= self.plan.spec.max_retries and not trial.is_decided:
            self.end(trial_id, error=error)
            return
        self._record("attempt_failed", trial=trial_id, error=error, counted=counted)
        if trial.is_decided:  # it failed on its way out
            self.release(trial_id)
        else:
            self._waiting.append(trial)

    def storage_failed(self, problem: str) -> NoReturn:
        """The record of the sweep cannot be kept: no trial's fault, and no trial can go on.

        Raises:
            StorageError: always.
        """
        self._storage_failure = StorageError(
            f"{problem}, so the sweep has stopped; "
            f"make room, then: python -m sweeper resume {self.folder.name}"
        )
        raise self._storage_failure

    def release(self, trial_id: str) -> None:
        """The trial has left its actor as was decided, its checkpoint on storage: it is paused,
        or at its end."""
        if self.trials[trial_id].decision is Decision.PAUSE:
            self._record("trial_paused", trial=trial_id)
            self.checkpoints.tidy(trial_id)
        else:
            self.end(trial_id)

    def end(self, trial_id: str, error: str | None = None) -> None:
        """A trial's end: failed where there is an error, else what its last report says."""
        status = Status.FAILED if error else self.trials[trial_id].outcome()
        self._record("trial_ended", trial=trial_id, status=status.value, error=error)
        self.checkpoints.tidy(trial_id)

    def watcher_failed(self, watcher: str, error: str) -> None:
        """Something that only looks on has failed; the sweep goes on without it."""
        self._record("watcher_failed", watcher=watcher, error=error)

    def close(self, outcome: str) -> None:
        """The session ends; without a word where the journal can take none."""
        if self.journal.failure is None:
            self._record("session_ended", outcome=outcome)
        self.checkpoints.close()
        self.journal.close()
