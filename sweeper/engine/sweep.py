"""A sweep at work: what comes next, and every change of its state. Each change is an event that is
on storage before anybody acts on it. Nothing here knows Ray, so anything can drive it.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal, Self

from sweeper.engine.checkpoint_keeper import CheckpointKeeper
from sweeper.engine.retries import last_error
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.storage import Storage
from sweeper.engine.takeover import (
    begin,
    drop_unrecorded_checkpoints,
    lacks_rung_checkpoint,
    take_over,
)
from sweeper.engine.upcoming.choosing import Losers, Upcoming
from sweeper.engine.upcoming.forking import Beginning
from sweeper.errors import StorageError
from sweeper.plan.plan import Plan
from sweeper.record.journal import Journal
from sweeper.record.progress import unrecorded
from sweeper.record.replay import replay
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.checkpoints import SESSION_STRIDE
from sweeper.record.state.events import (
    AttemptFailed,
    Evaluated,
    Event,
    GaveWay,
    Outcome,
    Promoted,
    Retried,
    SessionEnded,
    SpendReached,
    StoppedByHand,
    TrialEnded,
    TrialPaused,
    TrialStarted,
    Waiting,
    WatcherFailed,
    now,
)
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.scheduler_spec import PbtSpec
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers.scheduler import Promotion
from trainable.loop.metrics import Metrics


class Sweep:
    """A sweep at work: its state, and the journal that each change goes through first."""

    def __init__(self, folder: RunFolder, plan: Plan, state: SweepState, journal: Journal) -> None:
        self.folder = folder
        self.plan = plan
        self.state = state
        self.journal = journal
        self.checkpoints = CheckpointKeeper(state, folder, self._record, journal.commit)
        self.late: dict[str, list[Metrics]] = {}  # what watchers may not have heard of
        self._upcoming = Upcoming(plan, state, self.checkpoints.has_any)
        self._waiting: list[Trial] = []  # to be handed out before any that is new
        self.storage = Storage(folder, plan.spec, journal)

    @classmethod
    def open(
        cls,
        folder: RunFolder,
        plan: Plan,
        session: SessionTerms | None = None,
        warm_start: WarmStart | None = None,
        state: SweepState | None = None,
    ) -> Self:
        """Begin a session: record it, and finish what a kill left half done. The caller holds the
        folder's lock.

        Args:
            warm_start: What `search.from` has found out; needed until the journal has it.
            state: That of the journal. None: it is replayed.
        """
        if state is None:
            is_new = not folder.journal.exists()
            state = SweepState(plan.spec) if is_new else replay(plan.spec, folder)
        journal = Journal(folder)
        session = session or SessionTerms()
        if folder.store.address is not None:
            state.checkpoints.first_number = len(state.sessions) * SESSION_STRIDE
        began = session.begin(
            num_trials=len(plan.trials), torn=journal.torn, follows=journal.num_lines
        )
        _record(journal, state, began)
        journal.commit()  # from here on no other driver is one
        if warm_start is not None and state.warm_start is None:
            _record(journal, state, warm_start.to_event())
        sweep = cls(folder, plan, state, journal)
        sweep._mend(retry_failed=session.retry_failed)
        return sweep

    def _mend(self, *, retry_failed: bool) -> None:
        """Finish what a kill left half done: a decision without its effect, a checkpoint without
        its event."""
        for trial in self.state.with_status(Status.FAILED) if retry_failed else ():
            self._record(Retried(time=now(), trial=trial.trial_id))
        if isinstance(self.plan.spec.scheduler, PbtSpec):
            drop_unrecorded_checkpoints(self.folder, self.state.checkpoints, self.trials)
        self.checkpoints.compare_with_storage()
        for trial in self.state.with_status(Status.PENDING, Status.INTERRUPTED):
            late = self._catch_up(trial)
            if self._has_nothing_left(trial):  # the kill came between a decision and its effect
                late = late or trial.evaluations[-1:]
                self.release(trial.trial_id)
            self.late[trial.trial_id] = late
        self._waiting = self.state.with_status(Status.PENDING, Status.INTERRUPTED)

    def commit(self) -> None:
        """What was recorded is on storage when this returns. Whoever acts on it asks for that
        first.

        Raises:
            StorageError: it cannot be.
        """
        self.journal.commit()

    def end_turn(self) -> None:
        """Called several times a second by whoever drives the sweep: what nobody acts on comes to
        storage within a moment.

        Raises:
            StorageError: it cannot.
        """
        self.journal.commit_in_time()

    def _record(self, event: Event) -> None:
        _record(self.journal, self.state, event)

    @property
    def trials(self) -> dict[str, Trial]:
        return self.state.trials

    @property
    def is_over(self) -> bool:
        """Whether no trial will be handed out any more."""
        return self._upcoming.is_nothing

    @property
    def failure(self) -> StorageError | None:
        """Why the sweep has had to stop."""
        return self.storage.failure

    def next_trial(self) -> Trial | None:
        """The next trial to run, from its newest checkpoint: first those that an earlier session
        left or that failed a while ago, then those that have earned a promotion, then the plan's
        next, then those of the finals. None if there is none, or not yet."""
        while (trial := self._next_trial()) is not None and trial.taken_from is not None:
            pass  # it is created, and has run already
        self.commit()
        return trial

    def _next_trial(self) -> Trial | None:
        moment = time.time()
        for trial in self._waiting:
            if not trial.waits(moment):
                self._waiting.remove(trial)
                self.state.checkpoints.skip_name(trial.trial_id)
                return trial
        match self._upcoming.next():
            case None:
                return None
            case Promotion() as promotion:
                return self._promote(promotion)
            case Beginning() as beginning:
                return self._create(beginning)
            case Losers() as losers:
                for trial_id in losers.trials:
                    self.end(trial_id)
            case event:
                self._record(event)
        return self._next_trial()

    def _create(self, beginning: Beginning) -> Trial:
        try:
            created = begin(self.folder, self.state, beginning)
        except OSError as error:
            self.storage.failed(f"{error.filename}: cannot be written ({error.strerror})")
        self._record(created)
        if beginning.source is not None:
            self.checkpoints.tidy(beginning.source.trial_id)
        return self.trials[created.id]

    def _promote(self, promotion: Promotion) -> Trial:
        trial = self.trials[promotion.trial_id]
        if promotion.source is None or not self.checkpoints.has_any(promotion.source):
            self._record(Promoted(time=now(), trial=trial.trial_id, rung=promotion.rung))
        else:
            source = self.trials[promotion.source]
            name = self.state.checkpoints.next_name(trial.trial_id)
            self._record(take_over(self.folder, self.plan, trial, source, promotion.rung, name))
        return trial

    def start(self, trial_id: str) -> None:
        self._record(TrialStarted(time=now(), trial=trial_id))
        self.checkpoints.started(trial_id)

    def evaluated(self, trial_id: str, metrics: Metrics) -> Decision:
        """Record an evaluation and decide.

        A step that was evaluated before (the trial went back to a checkpoint) is not recorded
        again: the decision of that time stands.
        """
        trial = self.trials[trial_id]
        if metrics.step < trial.step:
            return Decision.CONTINUE
        if metrics.step > trial.step:
            verdict = self.state.judge(trial, metrics)
            self._record(Evaluated(time=now(), trial=trial_id, metrics=metrics, **asdict(verdict)))
        if trial.decision is not Decision.CONTINUE:
            self.commit()
        return trial.decision

    def checkpointed(self, trial_id: str, checkpoint: str) -> list[Metrics]:
        """The trial has this checkpoint on storage. Returns what it measured on the way there and
        had not been told yet; evaluations among it are recorded first."""
        try:
            self.folder.store.see(self.folder.checkpoint(trial_id, checkpoint))
        except OSError as error:
            self.storage.failed(f"{error.filename}: cannot be read ({error.strerror})")
        late = self._catch_up(self.trials[trial_id])
        self.checkpoints.landed(trial_id, checkpoint)
        return late

    def _catch_up(self, trial: Trial) -> list[Metrics]:
        """Record the evaluations that the trial's checkpoints carry and the journal lacks, up to
        one on which it leaves."""
        late = []
        checkpoints = self.folder.checkpoint_folders(trial.trial_id)
        for metrics in unrecorded(checkpoints, trial.config, trial.step):
            if trial.decision is not Decision.CONTINUE:
                break
            late.append(metrics)
            trial.progress = metrics
            if trial.is_evaluation(metrics, self.plan.spec.evaluated_by):
                self.evaluated(trial.trial_id, metrics)
        return late

    def _has_nothing_left(self, trial: Trial) -> bool:
        """Whether all that is left to do is what was decided: to stop the trial, or to pause it."""
        pauses = trial.decision is Decision.PAUSE
        return trial.is_decided and not (pauses and lacks_rung_checkpoint(trial, self.plan.spec))

    def attempt_failed(self, trial_id: str, error: str, *, counted: bool = True) -> None:
        """An attempt ended in an error: the trial is tried again after a while, or has failed.

        Args:
            counted: Whether this is one of the failures that a trial may have.
        """
        trial = self.trials[trial_id]
        done = self._has_nothing_left(trial)
        last = last_error(trial, self.plan.spec, self.folder, error, counted=counted)
        if last is not None and not done:
            self.end(trial_id, error=last)
            return
        self._record(AttemptFailed(time=now(), trial=trial_id, error=error, counted=counted))
        if done:  # it failed on its way out
            self.release(trial_id)
        else:
            self._waiting.append(trial)

    def give_attempts_again(self, trial_ids: Iterable[str]) -> None:
        """What these trials failed of was not theirs: the next session tries them anew."""
        for trial_id in trial_ids:
            self._record(Retried(time=now(), trial=trial_id))

    def release(self, trial_id: str) -> None:
        """The trial has left its actor, as decided, and its checkpoint is on storage: it is paused
        or has ended."""
        if self.trials[trial_id].decision is Decision.PAUSE:
            self._record(TrialPaused(time=now(), trial=trial_id))
            self.checkpoints.tidy(trial_id)
        else:
            self.end(trial_id)

    def gave_way(self, trial_id: str) -> None:
        """The trial has left its place before its end, or had none yet: it is handed out again
        before any that is new. If it was to leave anyway, that is what it has done."""
        trial = self.trials[trial_id]
        is_through = trial.outcome() is Status.COMPLETED and trial.checkpoint_step == trial.step
        if is_through or self._has_nothing_left(trial):
            self.release(trial_id)
            return
        if trial.status is Status.RUNNING:
            self._record(GaveWay(time=now(), trial=trial_id))
        self._waiting.insert(0, trial)

    def waits_for(self, what: Literal["CPUs", "GPUs"] | None) -> None:
        """Trials wait for what others have of the cluster; None: no more."""
        if self.state.sessions[-1].waits_for != what:
            self._record(Waiting(time=now(), what=what))

    def stop_by_hand(self, trial_id: str) -> None:
        """Somebody wants no more of this trial. One that runs leaves with what it tells next; any
        other ends here. One that has come to its end already is left to it."""
        trial = self.trials[trial_id]
        if trial.stopped_by_hand or trial.outcome() is not Status.STOPPED or trial.status.ended:
            return
        waits = trial.status is Status.PAUSED or trial in self._waiting
        self._record(StoppedByHand(time=now(), trial=trial_id))
        self.commit()
        if waits:
            self._waiting = [other for other in self._waiting if other is not trial]
            self.end(trial_id)

    def end(self, trial_id: str, error: str | None = None) -> None:
        """The trial has ended: failed if there is an error, otherwise as its last evaluation
        says."""
        status = Status.FAILED if error else self.trials[trial_id].outcome()
        self._record(TrialEnded(time=now(), trial=trial_id, status=status, error=error))
        self.checkpoints.tidy(trial_id)

    def spend_reached(self, reached: SpendReached) -> None:
        """The session is about to end, since this is spent."""
        self._record(reached)
        self.commit()

    def watcher_failed(self, watcher: str, error: str) -> None:
        """A watcher has failed; the sweep goes on without it."""
        self._record(WatcherFailed(time=now(), watcher=watcher, error=error))

    def close(self, outcome: Outcome) -> None:
        """The session ends. If the journal cannot be written, nothing is said there."""
        try:
            if self.journal.failure is None:
                self._record(SessionEnded(time=now(), outcome=outcome))
                self.commit()
        finally:
            self.checkpoints.close()
            self.journal.close()


def _record(journal: Journal, state: SweepState, event: Event) -> None:
    """On a disk it is there before it takes effect. `Sweep.commit` brings it to a bucket, before
    anybody acts on it."""
    journal.append(event)
    state.apply(event)
