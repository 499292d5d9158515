"""Tune's loop, but for what would let the failure of one trial cost more than that trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.tune.tune as tune_module
from ray.air.execution import PlacementGroupResourceManager
from ray.air.execution._internal import RayActorManager
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial as TuneTrial

from sweeper.ray_tune.failures import ActorLost
from sweeper.ray_tune.faults import Faults


class ActorManager(RayActorManager):  # type: ignore[misc]  # Ray is untyped
    """Takes every end of an actor for one, where Ray's aborts the experiment on those that it does
    not know: a kill by the memory monitor, a lost node, an error that cannot be read here."""

    def _actor_task_failed(self, tracked_actor_task: Any, exception: Exception) -> None:
        if not isinstance(exception, RayActorError | RayTaskError):
            exception = ActorLost(exception)
        super()._actor_task_failed(tracked_actor_task, exception)


class SweepController(TuneController):  # type: ignore[misc]
    """Hands each failed attempt to `Faults`; Tune itself tries nothing again.

    Tune's own way writes pickles, keeps what it had decided for a trial beyond the attempt, and a
    place in the queue for a trial that failed as it was given a process.
    """

    def __init__(self, faults: Faults, **settings: Any) -> None:
        super().__init__(**settings)
        self.faults = faults
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
        self.faults.failed(trial.trial_id, exception, had_process=had_process)

    def _update_trial_queue(self, blocking: bool = False, timeout: int = 600) -> bool:
        """Never blocks: where every trial waits for another attempt, the rest still goes on."""
        return bool(super()._update_trial_queue(blocking=False))

    def __getstate__(self) -> dict[str, Any]:
        """For Tune's snapshot, which it makes and reads at the end in any case."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "faults"}

    def on_step_begin(self) -> None:
        """A signal counts from here on: heard between two of Tune's questions whether all has
        finished, it would get two answers, and Tune takes that for an error."""
        super().on_step_begin()
        if self.faults.interrupt.requested:
            self._search_alg.set_finished()

    def on_step_end(self) -> None:
        super().on_step_end()
        actors = self._actor_manager._live_actors_to_ray_actors_resources
        self.faults.watch(
            {
                trial.trial_id: actors[tracked][0]
                for tracked, trial in self._actor_to_trial.items()
                if tracked in actors
            }
        )

    def cleanup(self) -> None:
        """At the end what matters is on storage, and a trial that hangs would be waited for."""
        for actor, _ in self._actor_manager._live_actors_to_ray_actors_resources.values():
            ray.kill(actor)
        super().cleanup()


@contextmanager
def controlled(controller: Callable[..., SweepController]) -> Iterator[None]:
    """`tune.run` makes its controller by this; it has no parameter for that."""
    before = tune_module.TuneController
    tune_module.TuneController = controller
    try:
        yield
    finally:
        tune_module.TuneController = before
