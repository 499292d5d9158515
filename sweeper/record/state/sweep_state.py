"""A sweep as a fold over its journal: what was tried, what was decided.

Applying the same events in the same order gives the same state. Nothing here knows of Ray, so a
simulator can drive it.
"""

from dataclasses import replace
from functools import cached_property
from typing import assert_never

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import place_here
from sweeper.plan.points import NoPointError, num_trials
from sweeper.record.state.arrivals import Arrivals
from sweeper.record.state.checkpoints import CheckpointAccount, Promise, Stored, unneeded
from sweeper.record.state.events import (
    AttemptFailed,
    CheckpointLanded,
    CheckpointRemoved,
    Evaluated,
    Event,
    Exploited,
    FinalsEnded,
    FinalsStarted,
    GaveWay,
    Outcome,
    Promoted,
    Retried,
    SearchEnded,
    SessionEnded,
    SessionStarted,
    SpendReached,
    StoppedByHand,
    TrialCreated,
    TrialEnded,
    TrialEvent,
    TrialPaused,
    TrialStarted,
    Waiting,
    WarmStarted,
    WatcherFailed,
)
from sweeper.record.state.finals import Finals
from sweeper.record.state.session import Session
from sweeper.record.state.stints import Stints
from sweeper.record.state.trial import Trial
from sweeper.record.state.warm_start import WarmStart
from sweeper.spec.clock import clock_per_step
from sweeper.spec.domains.scale import Scale, require_on_scale, scale_of_domain
from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import AnyConfig, num_params
from sweeper.status import Decision, Status
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.forecast_asha import ForecastAsha
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict
from trainable.loop.metrics import Metrics


class SweepState:
    """Trials and scheduler after a number of events."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.trials: dict[str, Trial] = {}
        self.of_status: dict[Status, dict[str, Trial]] = {status: {} for status in Status}
        self._status_of: dict[str, Status] = {}  # as it is noted there
        self.checkpoints = CheckpointAccount()
        self.arrivals = Arrivals()
        self.stints = Stints()
        self.warm_start: WarmStart | None = None  # of `search.from`
        self.scheduler = make_scheduler(spec)
        self.sessions: list[Session] = []
        self.search_ended: SearchEnded | None = None  # there is no other trial to come
        self.finals = None if spec.finals is None else Finals(spec.finals, spec.num_seeds)
        self.failed_watchers: dict[str, str] = {}  # name -> traceback, in the last session

    @property
    def outcome(self) -> Outcome | None:
        """How the last session ended."""
        return self.sessions[-1].outcome if self.sessions else None

    @property
    def num_trials(self) -> int:
        """How many the sweep has in all, as its session has said; one of an older version has not,
        and then its points are counted, once. Finals count once they have begun."""
        if self.finals is not None and self.finals.begun is not None:
            return len(self.trials) - len(self.finals.trials) + self.finals.most_trials
        if self.search_ended is not None:
            return len(self.trials)
        said = self.sessions[-1].environment.num_trials if self.sessions else None
        return self._counted if said is None else said

    def may_have_more(self, num_planned: int) -> bool:
        """Whether the search may give another trial, of so many that were planned."""
        finals_begun = self.finals is not None and self.finals.begun is not None
        return self.search_ended is None and not finals_begun and len(self.trials) < num_planned

    @property
    def has_finals_left(self) -> bool:
        """Whether its finals have still to begin, or to end."""
        return self.finals is not None and self.finals.ended is None

    @cached_property
    def _counted(self) -> int:
        try:
            return num_trials(self.spec)
        except NoPointError:  # a sweep.yaml that was edited since
            return len(self.trials)

    def apply(self, event: Event) -> None:
        """Take one event of the journal into account.

        Raises:
            ValueError, LookupError, ConfigError: it cannot come after those before it.
        """
        match event:
            case SessionStarted():
                self.sessions.append(Session(event))
                self.failed_watchers = {}
                self.interrupt()
            case SessionEnded():
                self.sessions[-1].outcome = event.outcome
                self.interrupt()
            case WarmStarted():
                for place, seen in enumerate(event.points):
                    self._require_on_scales(f"points.{place}.values", seen.values)
                self.warm_start = WarmStart.from_event(event)
            case TrialCreated():
                self._create(event)
            case SearchEnded():
                self.search_ended = event
            case FinalsStarted() | FinalsEnded():
                self._apply_to_finals(event)
            case SpendReached():
                self.sessions[-1].reached = event
            case Waiting():
                self.sessions[-1].waits_for = event.what
            case WatcherFailed():
                self.failed_watchers[event.watcher] = event.error
            case _:
                trial = self.trial_of(event)
                self._apply(trial, event)
                self._note_status(trial)
                self._drop_checkpoints(trial)
        if self.sessions and not isinstance(event, SessionStarted):
            self.sessions[-1].take(event.time)
        self.stints.take(event)
        if self.sessions:
            self.sessions[-1].is_idle = not self.stints.any_open

    def _apply_to_finals(self, event: FinalsStarted | FinalsEnded) -> None:
        if self.finals is None:
            raise ValueError("event: sweep.yaml has no finals")
        if isinstance(event, FinalsStarted):
            for place, point in enumerate(event.points):
                self._require_on_scales(f"points.{place}", point)
            self.finals.begun = event
        else:
            if event.winner is not None and event.winner not in self.finals.points:
                raise ValueError("winner: is none of the points of the finals")
            self.finals.ended = event

    def _create(self, event: TrialCreated) -> None:
        if event.id in self.trials:
            raise ValueError(f"id: trial {event.id} has been created before")
        trial = Trial(event.id, event.values, self._config(event))
        if event.taken is not None:
            self._take(trial, event.taken)
        self._branch(trial, event)
        self.trials[event.id] = trial
        self._note_status(trial)
        if self.finals is not None and self.finals.are_on:
            trial.is_final = True
            self.finals.trials.append(event.id)
        if trial.is_final:
            return  # not the scheduler's
        point = {key: trial.values[key] for key in self.spec.space if key in trial.values}
        end = trial.config.max_steps * self._pace(trial.config)
        if trial.taken_from is None:
            self.scheduler.added(trial.trial_id, end, point)
        elif isinstance(self.scheduler, ForecastAsha):
            curve = trial.curve(self.spec.objective.metric, self.spec.scheduler.clock)
            self.scheduler.learn(trial.trial_id, end, point, curve)

    def _take(self, trial: Trial, earlier_id: str) -> None:
        """The trial has run in the earlier sweep."""
        if self.warm_start is None:
            raise ValueError("taken: no other sweep's results have been taken over")
        earlier = self.warm_start.trial(earlier_id)
        trial.status, trial.evaluations = earlier.status, list(earlier.evaluations)
        trial.taken_from = f"trial {earlier_id} of {self.warm_start.run}"

    def _branch(self, trial: Trial, event: TrialCreated) -> None:
        """What the trial has of its trunk, or what it promises to its forks. Its own promise is
        kept with that, or can be kept no more."""
        promises = self.checkpoints.promised
        promises |= {fork: Promise(event.id, step) for fork, step in event.forks.items()}
        if (fork := event.fork) is not None:
            if fork.source not in self.trials:
                raise ValueError(f"fork.source: there is no trial {fork.source!r}")
            trunk = self.trials[fork.source].evaluations
            trial.evaluations = [seen for seen in trunk if seen.step <= fork.step]
            trial.forked_from, trial.forked_at = fork.source, fork.step
            stored = Stored(event.id, fork.checkpoint, fork.bytes, fork.step)
            self.checkpoints.add(stored, num_params(trial.config) or 1, found=False)
            self._drop_checkpoints(trial)
        if (promise := promises.pop(event.id, None)) is not None:
            self._drop_checkpoints(self.trials[promise.trunk])

    def trial_of(self, event: TrialEvent) -> Trial:
        """
        Raises:
            ValueError: there is no such trial.
        """
        if event.trial not in self.trials:
            raise ValueError(f"trial: there is no trial {event.trial!r}")
        return self.trials[event.trial]

    def _apply(self, trial: Trial, event: TrialEvent) -> None:
        match event:
            case TrialStarted():
                trial.status = Status.RUNNING
                trial.attempts += 1
                trial.error = trial.failed_at = None
            case Evaluated():
                if event.metrics.step <= trial.step:
                    raise ValueError(f"metrics.step: must be above {trial.step}, the last one")
                trial.evaluations.append(event.metrics)
                trial.decision = event.decision
                trial.rung = event.rung or trial.rung
                value = event.metrics.value(self.spec.objective.metric)
                ended = event.metrics.step >= trial.config.max_steps
                self.arrivals.add(event, value, ended=ended)
            case CheckpointLanded():
                trial.losses_in_a_row = 0
                self._stored(trial, event, found=event.found)
            case CheckpointRemoved():
                self.checkpoints.remove(trial.trial_id, event.checkpoint)
            case TrialPaused():
                trial.status = Status.PAUSED
            case GaveWay():
                trial.status = Status.PENDING
            case Promoted():
                self.arrivals.settle(event.trial, event.rung, kept=True)
                self._go_on(trial, Promotion(event.trial, event.rung))
            case Exploited():
                if event.source not in self.trials:
                    raise ValueError(f"source: there is no trial {event.source!r}")
                trial.values, trial.config = event.values, self._config(event)
                self._stored(trial, event, found=False)
                self.arrivals.settle(event.trial, event.rung, kept=False)
                self._go_on(trial, Promotion(event.trial, event.rung, event.source))
            case AttemptFailed():
                trial.status, trial.error = Status.PENDING, event.error
                trial.failed_at = event.time.timestamp()
                trial.failures += event.counted
                trial.losses += not event.counted
                trial.losses_in_a_row += not event.counted
            case Retried():
                trial.status, trial.error = Status.PENDING, None
                trial.failures, trial.losses_in_a_row, trial.failed_at = 0, 0, None
            case StoppedByHand():
                trial.decision, trial.stopped_by_hand = Decision.STOP, True
                if trial.status is Status.PAUSED:  # it waits for no promotion any more
                    trial.status = Status.PENDING
            case TrialEnded():
                trial.status, trial.error = event.status, event.error
                trial.failures += trial.status is Status.FAILED
                self.arrivals.settle(event.trial, trial.rung, kept=False)
                if not trial.is_final:
                    self.scheduler.ended(trial.trial_id)
            case _:
                assert_never(event)

    def _stored(self, trial: Trial, event: CheckpointLanded | Exploited, *, found: bool) -> None:
        stored = Stored(trial.trial_id, event.checkpoint, event.bytes, event.step)
        self.checkpoints.add(stored, num_params(trial.config) or 1, found=found)

    def _drop_checkpoints(self, trial: Trial) -> None:
        """Drop the checkpoints that the trial no longer needs. The event that says why is there."""
        keep = self.spec.checkpoints.keep
        for stored in unneeded(self.checkpoints, trial.trial_id, trial.status, keep):
            self.checkpoints.remove(trial.trial_id, stored.name)
        newest = self.checkpoints.newest(trial.trial_id)
        trial.checkpoint = newest.name if newest else None
        trial.checkpoint_step = newest.step if newest else None

    def _require_on_scales(self, where: str, recorded: Point) -> None:
        """
        Raises:
            ValueError: a value has no place on the scale of what the search gives.
        """
        for name, scale in self._scales.items():
            if name in recorded:
                try:
                    require_on_scale(scale, recorded[name])
                except ValueError as error:
                    raise ValueError(f"{where}.{name}: {error}") from None

    @cached_property
    def _scales(self) -> dict[str, Scale]:
        return {name: scale_of_domain(domain) for name, domain in self.spec.space.items()}

    def _config(self, event: TrialCreated | Exploited) -> AnyConfig:
        """
        Raises:
            ValueError: a value is none, or the trial runs with another.
        """
        self._require_on_scales("values", event.values)
        data = (
            CorpusFolder(place_here(self.spec.data)).of_trials if self.spec.data else {}
        )  # it may move
        config = self.spec.known.config({**event.config, **data})
        settings = config.to_dict()
        for name, value in event.values.items():
            # A bundle is no setting; the home in a path to weights may have been another.
            if name in settings and settings[name] != value and name != "init_from":
                raise ValueError(f"config.{name}: {settings[name]}, but values.{name} is {value}")
        return config

    def _go_on(self, trial: Trial, promotion: Promotion) -> None:
        trial.status, trial.decision = Status.PENDING, Decision.CONTINUE
        self.scheduler.promote(promotion)

    def interrupt(self) -> None:
        """No driver is there any more: trials that ran are interrupted."""
        for trial in list(self.of_status[Status.RUNNING].values()):
            trial.status = Status.INTERRUPTED
            self._note_status(trial)
        self.stints.interrupt()

    def _note_status(self, trial: Trial) -> None:
        """So that of thousands of trials nobody needs to look at each."""
        before = self._status_of.get(trial.trial_id)
        if before is not trial.status:
            if before is not None:
                del self.of_status[before][trial.trial_id]
            self.of_status[trial.status][trial.trial_id] = trial
            self._status_of[trial.trial_id] = trial.status

    def any_of(self, *statuses: Status) -> bool:
        """Whether a trial has one of these."""
        return any(self.of_status[status] for status in statuses)

    def with_status(self, *statuses: Status) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.status in statuses]

    def _pace(self, config: AnyConfig) -> int:
        return clock_per_step(config, self.spec.scheduler.clock)

    def judge(self, trial: Trial, metrics: Metrics, recorded: Verdict | None = None) -> Verdict:
        """Give an evaluation to the scheduler, which may happen only once. Returns its verdict.

        Args:
            recorded: What was decided when it was judged before; what rested on a forecast stands.
        """
        value = metrics.value(self.spec.objective.metric)
        step, max_steps = metrics.step, trial.config.max_steps
        pace = self._pace(trial.config)
        told = trial.trial_id, step * pace, value, max_steps * pace
        if trial.is_final:  # who came so far is judged at the end
            verdict = Verdict(Decision.CONTINUE)
        elif recorded is not None and isinstance(self.scheduler, ForecastAsha):
            verdict = self.scheduler.recall(*told, recorded)
        else:
            verdict = self.scheduler.report(*told)
        ended = metrics.diverged or step >= max_steps or trial.stopped_by_hand
        return replace(verdict, decision=Decision.STOP) if ended else verdict
