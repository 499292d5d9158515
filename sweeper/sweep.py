"""A sweep as a fold over its journal: what was tried, what was decided, what comes next.

Every change is an event: it is on disk before it takes effect, and applying the same events in
the same order gives the same state. Nothing here knows of Ray, so a simulator can drive it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.clock import clock_per_step
from sweeper.errors import RunFolderError
from sweeper.journal import Event, Journal, damaged_line, read_journal
from sweeper.plan import Plan, PlannedTrial, data_files
from sweeper.run_folder import RunFolder, write_json
from sweeper.scheduler import Promotion, make_scheduler
from sweeper.session import Session
from sweeper.space import Scalar
from sweeper.spec import SweepSpec
from sweeper.status import Decision, Status
from trainable.config import TrainConfig
from trainable.errors import ConfigError

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
    error: str | None = None
    attempts: int = 0
    progress: Metrics | None = None  # newest report of any kind; for the eye, not in the journal

    @property
    def last_report(self) -> Metrics | None:
        return self.reports[-1] if self.reports else None

    @property
    def step(self) -> int:
        """The last evaluated step."""
        return int(self.reports[-1]["step"]) if self.reports else 0

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
            case "trial_created":
                data = data_files(Path(self.spec.data)) if self.spec.data else {}  # it may move
                config = TrainConfig.from_mapping({**event["config"], **data})
                name = event["id"]
                self.trials[name] = Trial(name, event["values"], config)
            case "trial_started" if trial:
                trial.status = Status.RUNNING
                trial.attempts += 1
            case "report" if trial:
                trial.reports.append(event["metrics"])
                trial.decision = Decision(event["decision"])
                trial.rung = event["rung"] or trial.rung
            case "checkpoint" if trial:
                trial.checkpoint = event["checkpoint"]
            case "checkpoint_removed" if trial:
                if trial.checkpoint == event["checkpoint"]:
                    trial.checkpoint = None
            case "trial_paused" if trial:
                trial.status = Status.PAUSED
            case "promoted" if trial:
                trial.status, trial.decision = Status.PENDING, Decision.CONTINUE
                self.scheduler.promote(Promotion(trial.trial_id, event["rung"]))
            case "attempt_failed" if trial:
                trial.status, trial.error = Status.PENDING, event["error"]
            case "retried" if trial:
                trial.status, trial.error = Status.PENDING, None
            case "trial_ended" if trial:
                trial.status = Status(event["status"])
                trial.error = event["error"]
            case "watcher_failed":
                self.failed_watchers[event["watcher"]] = event["error"]
            case unknown:
                raise ValueError(f"an event that this version does not know: {unknown!r}")

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

    def __init__(self, folder: RunFolder, plan: Plan, session: Session | None = None) -> None:
        """Open the folder's journal and fold over what is in it. The caller holds its lock."""
        self.folder = folder
        self.plan = plan
        is_new = not folder.journal.exists()
        self.state = SweepState(plan.spec) if is_new else replay(plan.spec, folder)
        self.journal = Journal(folder.journal)
        session = session or Session()
        self._record("session_started", torn=self.journal.torn, **session.to_dict())
        for trial in self.state.with_status(Status.FAILED) if session.retry_failed else ():
            self._record("retried", trial=trial.trial_id)
        for trial in self.state.with_status(Status.PENDING, Status.INTERRUPTED):
            # The kill may have come between a decision and its effect. A completed trial is not
            # ended here: its final checkpoint may be missing.
            if trial.decision is not Decision.CONTINUE and trial.outcome() is not Status.COMPLETED:
                self.release(trial.trial_id)
        self._waiting = self.state.with_status(Status.PENDING, Status.INTERRUPTED)

    def _record(self, event: str, **fields: Any) -> None:
        self.state.apply(self.journal.append(event, **fields))

    @property
    def trials(self) -> dict[str, Trial]:
        return self.state.trials

    @property
    def is_over(self) -> bool:
        """Nothing is left to hand out, now or later."""
        return (
            not self._waiting
            and len(self.trials) >= len(self.plan.trials)
            and not self.state.with_status(Status.PAUSED)
        )

    def next_trial(self) -> Trial | None:
        """The next one to run, from its newest checkpoint: what an earlier session left, then who
        has earned a promotion, then the plan's next. None: there is none, or not yet."""
        if self._waiting:
            return self._waiting.pop(0)
        paused = {trial.trial_id for trial in self.state.with_status(Status.PAUSED)}
        if paused and (promotion := self.state.scheduler.promotion(paused)) is not None:
            return self._promote(promotion)
        if len(self.trials) < len(self.plan.trials):
            return self._create(self.plan.trials[len(self.trials)])
        if paused and not self.state.with_status(Status.PENDING, Status.RUNNING):
            return self._settle(paused)
        return None

    def _create(self, planned: PlannedTrial) -> Trial:
        config = planned.config.to_dict()
        write_json(self.folder.trial_config(planned.trial_id), config)
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
        self._record("checkpoint", trial=trial_id, checkpoint=checkpoint)

    def attempt_failed(self, trial_id: str, error: str) -> None:
        """An attempt ended in an error; the trial is tried again."""
        self._record("attempt_failed", trial=trial_id, error=error)

    def release(self, trial_id: str) -> None:
        """The trial has left its actor as was decided, its checkpoint on storage: it is paused,
        or at its end."""
        if self.trials[trial_id].decision is Decision.PAUSE:
            self._record("trial_paused", trial=trial_id)
        else:
            self.end(trial_id)

    def end(self, trial_id: str, error: str | None = None) -> None:
        """A trial's end: failed where there is an error, else what its last report says."""
        status = Status.FAILED if error else self.trials[trial_id].outcome()
        self._record("trial_ended", trial=trial_id, status=status.value, error=error)

    def watcher_failed(self, watcher: str, error: str) -> None:
        """Something that only looks on has failed; the sweep goes on without it."""
        self._record("watcher_failed", watcher=watcher, error=error)

    def close(self, outcome: str) -> None:
        """The session ends; without a word where the journal can take none."""
        if self.journal.failure is None:
            self._record("session_ended", outcome=outcome)
        self.journal.close()
