"""What becomes of a trial for Tune, without a cluster."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from ray.tune.experiment import Trial as TuneTrial

from sweeper.plan.placement import Share
from sweeper.runtime.ray_tune.controller import ActorManager, SweepController
from sweeper.runtime.ray_tune.shared import broker as module
from sweeper.runtime.ray_tune.shared.broker import AskBroker
from sweeper.runtime.sharing.fairness import Claim


def controller_of(*trials: Any) -> Any:
    controller = MagicMock(_leaving=set(), _resetting_trials=set(), _staged_trials=set())
    controller.get_live_trials.return_value = set(trials)
    controller.places.leaving = {"0000"}
    controller.places.may_idle = controller._actor_cache.num_cached_objects = 0
    return controller


def attempt(status: str) -> Any:
    finished = status in (TuneTrial.ERROR, TuneTrial.TERMINATED)
    return MagicMock(trial_id="0000", status=status, is_finished=lambda: finished)


def test_a_failed_attempt_does_not_give_way_for_the_one_that_has_followed() -> None:
    failed, runs = attempt(TuneTrial.ERROR), attempt(TuneTrial.RUNNING)
    controller = controller_of(failed, runs)
    SweepController._give_way(controller)
    controller.pause_trial.assert_called_once_with(runs)
    controller.places.left.assert_not_called()


def test_a_failed_attempt_is_live_no_more() -> None:
    failed = attempt(TuneTrial.RUNNING)
    controller = controller_of(failed)
    SweepController._process_trial_failure(controller, failed, RuntimeError())
    controller.faults.failed.assert_called_once()
    assert controller.get_live_trials() == set()


def test_a_turn_without_anything_to_wait_for_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a driver whose sweep waits for its place keeps a core busy."""
    slept: list[float] = []
    monkeypatch.setattr("ray.wait", lambda futures, **_: ([], futures))
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    monkeypatch.setattr("time.sleep", slept.append)
    manager = ActorManager(resource_manager=MagicMock(get_resource_futures=list))
    assert manager.next(timeout=0.5) is False
    assert slept == [0.5]


def test_who_has_to_make_the_broker_waits_for_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Claim(sweep="a", share=Share(1, 0), wants=2, holds=0)
    for is_new in (True, False):
        monkeypatch.setattr(module, "_broker", lambda new=is_new: (MagicMock(), new))
        told = AskBroker()(claim)
        assert (told is not None and not told.contended) == is_new
