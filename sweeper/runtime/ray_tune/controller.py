"""Tune's loop, changed so that the failure of one trial costs no more than that trial."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import ray
import ray.tune.tune as tune_module
from ray.air.execution import PlacementGroupResourceManager
from ray.air.execution._internal import RayActorManager, TrackedActor
from ray.exceptions import RayActorError, RayTaskError
from ray.tune import Callback, PlacementGroupFactory
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial as TuneTrial

from sweeper.runtime.nodes import Nodes
from sweeper.runtime.ray_tune.failures import ActorLost
from sweeper.runtime.ray_tune.faults import Faults
from sweeper.runtime.ray_tune.shared.places import Places

START_SECONDS = 10.0  # that a process may take to start, with torch


class ActorManager(RayActorManager):  # type: ignore[misc]  # Ray is untyped
    """Takes every end of an actor as what it is. Ray's own manager aborts the experiment on those
    that it does not know: a kill by the memory monitor, a lost node, an error that cannot be read
    here."""

    def next(self, timeout: float | None = None) -> bool:
        """Take the next event. Where there is none to wait for, Ray's own returns at once, and a
        driver whose sweep waits for its place, or for its next attempt, would keep a core busy."""
        began = time.monotonic()
        if super().next(timeout):
            return True
        if timeout is not None:
            time.sleep(max(0.0, began + timeout - time.monotonic()))
        return False

    def _actor_task_failed(self, tracked_actor_task: object, exception: Exception) -> None:
        if not isinstance(exception, RayActorError | RayTaskError):
            exception = ActorLost(exception)
        super()._actor_task_failed(tracked_actor_task, exception)


class SweepController(TuneController):  # type: ignore[misc]
    """Hands each failed attempt to `Faults`; Tune itself tries nothing again.

    When Tune itself retries, it writes pickles, keeps what it had decided for a trial beyond the
    attempt, and keeps a place in the queue for a trial that failed when it was given a process.
    """

    def __init__(
        self,
        faults: Faults,
        nodes: Nodes,
        places: Places,
        idle: Mapping[PlacementGroupFactory, int],
        callback: Callback,
        *,
        callbacks: Iterable[Callback] = (),
        **settings: object,
    ) -> None:
        """
        Args:
            callback: Ours. If `tune.run` has it, it imports W&B, half a second and 40 MB, to see
                whether it is theirs.
            idle: How many processes are kept although no trial waits for one, by the resources that
                they were asked for. Tune keeps one only: since trials are handed out when there is
                room, those that end together would leave a single process.
        """
        super().__init__(callbacks=[*callbacks, callback], **settings)
        self.faults = faults
        self.nodes = nodes
        self.places = places
        for resources, number in idle.items():
            self._actor_cache.increase_max(resources, by=number)
        self._asked: dict[
            str, tuple[TrackedActor, float]
        ] = {}  # a process that is to start for a trial
        self._leaving: set[TuneTrial] = set()  # have been asked to save themselves
        self._actor_manager = ActorManager(resource_manager=PlacementGroupResourceManager())

    def _process_trial_failure(self, trial: TuneTrial, exception: Exception) -> None:
        if trial.status not in {TuneTrial.RUNNING, TuneTrial.PENDING}:
            return  # told twice where the actor died
        trial.temporary_state.saving_to = None
        self._cached_trial_decisions.pop(trial.trial_id, None)
        self._queued_trial_decisions.pop(trial.trial_id, None)
        if trial in self._staged_trials:
            self._unstage_trial_with_resources(trial)
        had_process = trial not in self._resetting_trials
        self._resetting_trials.discard(trial)
        self._search_alg.on_trial_complete(trial.trial_id, error=True)
        self._schedule_trial_stop(trial, exception=exception)
        self.get_live_trials().discard(trial)  # its next attempt has another, with the same id
        self.faults.failed(trial.trial_id, exception, had_process=had_process)

    def _maybe_reuse_cached_actor(self, trial: TuneTrial) -> bool:
        """Wait for a process that is to start for a trial. Tune would end it as soon as another
        comes free, and trials of milliseconds would share a single process to the end. The wait is
        short: there may be no room for the new process beside the free one."""
        actor, now = self._trial_to_actor.get(trial), time.monotonic()
        if actor is not None and trial not in self._resetting_trials:
            asked = self._asked.get(trial.trial_id)
            if asked is None or asked[0] is not actor:
                asked = self._asked[trial.trial_id] = (actor, now)
            if now - asked[1] < START_SECONDS:
                return False
        return bool(super()._maybe_reuse_cached_actor(trial))

    def _update_trial_queue(self, blocking: bool = False, timeout: int = 600) -> bool:
        """Never blocks: if every trial waits for another attempt, everything else still goes on."""
        return bool(super()._update_trial_queue(blocking=False))

    def __getstate__(self) -> dict[str, object]:
        """The state for Tune's snapshot, which it makes and reads at the end whatever it is
        told."""
        state: dict[str, object] = super().__getstate__()
        return {
            name: value
            for name, value in state.items()
            if name not in {"faults", "nodes", "places"}
        }

    def on_step_begin(self) -> None:
        """A signal takes effect here. Tune asks twice in a turn whether everything has finished; a
        signal in between would change the answer, which Tune takes for an error."""
        super().on_step_begin()
        if self.faults.interrupt.requested:
            self._search_alg.set_finished()

    def on_step_end(self) -> None:
        super().on_step_end()
        actors = self._actor_manager._live_actors_to_ray_actors_resources
        placed = {
            trial.trial_id: actors[tracked][0]
            for tracked, trial in self._actor_to_trial.items()
            if tracked in actors
        }
        self.faults.watch(placed)
        if not self.faults.interrupt.requested:
            live = list(self._search_alg.live)
            self.nodes.watch(live, placed, time.monotonic())
            self.places.watch(live, placed, time.monotonic(), more=self._search_alg.has_more)
            self._give_way()

    def _give_way(self) -> None:
        """Trials leave that are to: those that run save themselves first. Each ends for Tune, and
        is handed out again. A process that is idle then is not kept for it."""
        self._leaving &= self.get_live_trials()
        for trial in list(self.get_live_trials()):
            if trial.is_finished() or trial.trial_id not in self.places.leaving:
                continue
            if trial.status == TuneTrial.RUNNING:
                if trial not in self._leaving:
                    self._leaving.add(trial)
                    self.pause_trial(trial)
            elif trial not in self._resetting_trials:
                self._leaving.discard(trial)
                if trial in self._staged_trials:
                    self._unstage_trial_with_resources(trial)
                self._search_alg.on_trial_complete(trial.trial_id)
                self._schedule_trial_stop(trial)
                self.get_live_trials().discard(trial)
                self.places.left(trial.trial_id)
        if self._actor_cache.num_cached_objects > self.places.may_idle:
            self._cleanup_cached_actors(force_all=True)

    def cleanup(self) -> None:
        """End without waiting: what matters is on storage, and a trial may hang."""
        for actor, _ in self._actor_manager._live_actors_to_ray_actors_resources.values():
            ray.kill(actor)
        super().cleanup()


@contextmanager
def controlled(controller: Callable[..., SweepController]) -> Iterator[None]:
    """Have `tune.run` use this controller; it has no parameter for that."""
    before = tune_module.TuneController
    tune_module.TuneController = controller
    try:
        yield
    finally:
        tune_module.TuneController = before
