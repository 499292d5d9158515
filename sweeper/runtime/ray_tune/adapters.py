"""Tune's interfaces in terms of a `Sweep`: its trials, its decisions, its events."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.tune import Callback, Checkpoint, CheckpointConfig, PlacementGroupFactory
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Experiment
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import SearchAlgorithm

from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Placement, Share
from sweeper.record.buckets.addresses import is_address
from sweeper.record.state.trial import Trial
from sweeper.record.stores.places import address_of
from sweeper.record.watcher import Watcher
from sweeper.runtime.ray_tune.faults import Faults
from sweeper.runtime.ray_tune.interrupt import Interrupt
from sweeper.runtime.ray_tune.shared.places import Places
from sweeper.runtime.sharing.allowance import Allowance
from sweeper.spec.points import point_text
from sweeper.status import Decision, Status
from trainable.loop.metrics import Metrics

Result = dict[str, Any]  # what `TrialActor.step` has returned, with what Tune adds


def request(share: Share) -> PlacementGroupFactory:
    """A trial's share of a node, as it is asked of Ray: one bundle, so all of it is of one node."""
    return PlacementGroupFactory([{"CPU": share.cpu} | ({"GPU": share.gpu} if share.gpu else {})])


class SweepSearch(SearchAlgorithm):  # type: ignore[misc]
    """Hands the sweep's trials to Tune, with our ids, each from its newest checkpoint."""

    def __init__(
        self,
        sweep: Sweep,
        placement: Placement,
        trainer: str,
        interrupt: Interrupt,
        allowance: Allowance,
    ) -> None:
        self.sweep = sweep
        self.placement = placement
        self.trainer = trainer
        self.interrupt = interrupt
        self.allowance = allowance
        self.has_more = True  # as far as is known: a trial could be handed out
        self.live: dict[str, None] = {}  # handed out, in that order, and not done for Tune

    @property
    def total_samples(self) -> int:
        return len(self.sweep.plan.trials)

    def add_configurations(self, experiments: Sequence[Experiment]) -> None:
        (self.experiment,) = experiments

    def is_finished(self) -> bool:
        return self._finished or self.sweep.is_over

    def next_trial(self) -> TuneTrial | None:
        if self.interrupt.requested or not self._has_room():
            return None
        trial = self.sweep.next_trial()
        self.has_more = trial is not None
        if trial is None:
            return None
        self.live[trial.trial_id] = None
        return self._tune_trial(trial)

    def _has_room(self) -> bool:
        """Whether there may be room for another trial. None is handed out ahead of time, so that
        what comes next is decided with all that is known. If trials get different shares, it only
        shows while a trial waits whether it fits."""
        allowed = self.allowance.most
        if self.has_more and allowed is not None and len(self.live) >= allowed:
            return False
        most = self.sweep.plan.spec.max_concurrent or self.total_samples
        if len(self.live) < self.allowance.slots:
            return True
        if not self.placement.resources.cases or len(self.live) >= most:
            return False
        return all(self.sweep.trials[name].status is not Status.PENDING for name in self.live)

    def on_trial_complete(
        self, trial_id: str, result: Result | None = None, error: bool = False
    ) -> None:
        self.live.pop(trial_id, None)

    def _tune_trial(self, trial: Trial) -> TuneTrial:
        share, spec = self.placement.share(trial.values), self.sweep.plan.spec
        checkpoints = self.sweep.folder.checkpoint_folders(trial.trial_id)
        tune_trial = TuneTrial(
            self.experiment.run_identifier,
            trial_id=trial.trial_id,
            config={
                "train": trial.config.to_dict(),
                "data": spec.data if spec.data and is_address(spec.data) else None,
                "num_threads": share.num_threads,
                "processes": share.processes,
                "trainer": self.trainer,
                "program": spec.trainer,
                "evaluated_by": spec.evaluated_by,
                "bucket": address_of(self.sweep.folder.path.parent),
                "folder": str(self.sweep.folder.trial(trial.trial_id).resolve()),
                "forks_at": sorted(self.sweep.state.checkpoints.promised_steps(trial.trial_id)),
                "evaluated": trial.step,
                "timeout_s": spec.trial_timeout_s,
                "stack": str(self.sweep.folder.trial_stack(trial.trial_id).resolve()),
                "title": f"{self.sweep.folder.name} {trial.trial_id} {point_text(trial.values)}",
            },
            storage=self.experiment.storage,
            evaluated_params=trial.values,
            placement_group_factory=request(share),
            checkpoint_config=CheckpointConfig(),
            restore_path=str(checkpoints[0]) if checkpoints else None,
            trial_name_creator=lambda tune_trial: tune_trial.trial_id,
        )
        # If the folder is there already (promoted trials), Tune would make another beside it, in
        # which the trial's newer checkpoints are never found.
        tune_trial.relative_logdir = tune_trial.storage.trial_dir_name = trial.trial_id
        # Tune would begin at 0 again, and write over what is there.
        number = self.sweep.state.checkpoints.next_number(trial.trial_id)
        tune_trial.storage.current_checkpoint_index = number - 1
        return tune_trial


class SweepScheduler(TrialScheduler):  # type: ignore[misc]
    """Asks the sweep for each decision, and pauses what runs when the user interrupts."""

    def __init__(self, sweep: Sweep, audience: Watcher, interrupt: Interrupt) -> None:
        super().__init__()
        self.sweep = sweep
        self.audience = audience
        self.interrupt = interrupt
        self._pausing: set[str] = set()
        self._arrivals = itertools.count()
        self._arrived: dict[str, int] = {}

    def on_trial_result(
        self, controller: TuneController, tune_trial: TuneTrial, result: Result
    ) -> str:
        trial = self.sweep.trials[tune_trial.trial_id]
        decision = Decision.CONTINUE
        rows: list[Metrics] = result["metrics"]
        for metrics in rows:
            trial.progress = metrics
            if trial.is_evaluation(metrics, self.sweep.plan.spec.evaluated_by):
                decision = self.sweep.evaluated(trial.trial_id, metrics)
        self.audience.measured(trial, rows)
        leaves = decision is not Decision.CONTINUE or trial.stopped_by_hand
        ends = leaves or result["finished"]
        return str(TrialScheduler.STOP if ends else TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, controller: TuneController, tune_trial: TuneTrial, result: Result
    ) -> None:
        # Called for each trial that ends by our STOP, after its checkpoint is on storage. A trial
        # that is paused ends for Tune as well: once promoted, it is handed out as after a resume.
        self.sweep.release(tune_trial.trial_id)

    def choose_trial_to_run(self, controller: TuneController) -> TuneTrial | None:
        live = controller.get_live_trials()
        if not self.interrupt.requested:
            pending = (t for t in live if t.status == TuneTrial.PENDING)
            return min(pending, key=lambda t: self._arrived[t.trial_id], default=None)
        running = [t for t in live if t.status == TuneTrial.RUNNING]
        self.interrupt.quiet = not running
        for tune_trial in running:
            if tune_trial.trial_id not in self._pausing:
                self._pausing.add(tune_trial.trial_id)
                controller.pause_trial(tune_trial)
        return None

    def on_trial_add(self, controller: TuneController, trial: TuneTrial) -> None:
        self._arrived[trial.trial_id] = next(self._arrivals)

    def on_trial_remove(self, controller: TuneController, trial: TuneTrial) -> None: ...

    def on_trial_error(self, controller: TuneController, trial: TuneTrial) -> None: ...

    def debug_string(self) -> str:
        return "sweeper"


class SweepCallback(Callback):  # type: ignore[misc]
    """Journals what Tune tells only to callbacks, and keeps the watchers up to date."""

    def __init__(
        self,
        sweep: Sweep,
        audience: Watcher,
        faults: Faults,
        places: Places,
        looks: Sequence[Callable[[], None]],
    ) -> None:
        """
        Args:
            looks: What is looked for in every turn.
        """
        self.sweep = sweep
        self.audience = audience
        self.faults = faults
        self.places = places
        self.looks = looks

    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self.faults.heard(trial.trial_id)
        self.places.starts(trial.trial_id)
        self.sweep.start(trial.trial_id)
        self.audience.started(self.sweep.trials[trial.trial_id])

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: Result,
        **info: object,
    ) -> None:
        self.faults.trains(trial.trial_id)
        self.places.runs_on(trial.trial_id, result["node"], time.monotonic())

    def on_trial_restore(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self.faults.heard(trial.trial_id)

    def on_checkpoint(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        checkpoint: Checkpoint,
        **info: object,
    ) -> None:
        self.faults.heard(trial.trial_id)
        late = self.sweep.checkpointed(trial.trial_id, Path(checkpoint.path).name)
        if late:  # a pause's: the result before it may never be looked at
            self.audience.measured(self.sweep.trials[trial.trial_id], late)

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self.audience.ended(self.sweep.trials[trial.trial_id])

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: object) -> None:
        self.sweep.end_turn()
        for look in self.looks:
            look()
        self.audience.refresh(self.sweep.state)
