"""A sweep on a Ray cluster: Tune run over it to the end."""

import logging
import os
from functools import partial

import ray
from ray import tune

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.placement import Placement
from sweeper.record.state.events import Outcome
from sweeper.runtime.nodes import (
    CLUSTER_WAIT_SECONDS,
    OWN_WAIT_SECONDS,
    Nodes,
    watching_head,
)
from sweeper.runtime.ray_tune.adapters import SweepCallback, SweepScheduler, SweepSearch, request
from sweeper.runtime.ray_tune.cluster import ray_messages_to
from sweeper.runtime.ray_tune.controller import SweepController, controlled
from sweeper.runtime.ray_tune.faults import Faults
from sweeper.runtime.ray_tune.interrupt import Interrupt
from sweeper.runtime.ray_tune.shared.nodes import staying_nodes
from sweeper.runtime.ray_tune.shared.places import Places, sharing
from sweeper.runtime.ray_tune.trial_actor import TrialActor
from sweeper.runtime.signals import Deadline, ending_by_signals, tell
from sweeper.runtime.stopping.budget import Budget
from sweeper.runtime.stopping.requests import StopRequests


def run_trials(
    sweep: Sweep, placement: Placement, audience: Audience, trainer: str, deadline: Deadline
) -> Outcome:
    """Run every trial that is left.

    Args:
        deadline: Is started when the sweep is to end early.
    """
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(placement.slots)
    interrupt = Interrupt()

    def end() -> None:
        interrupt.request()
        deadline.start(sweep.folder)

    faults = Faults(sweep, audience, interrupt, end)
    wait_seconds = CLUSTER_WAIT_SECONDS if os.environ.get("RAY_ADDRESS") else OWN_WAIT_SECONDS
    nodes = Nodes(sweep, placement, staying_nodes, end, wait_seconds=wait_seconds)
    looks = StopRequests(sweep, end, tell).look, Budget(sweep, end, tell).look
    for look in looks:
        look()  # what an earlier session has not heard of
    audience.catch_up()
    with (
        sharing(sweep, placement) as allowance,
        ending_by_signals(end, sweep.folder),
        watching_head(ray.get_runtime_context().gcs_address, end),
        ray_messages_to(logging.FileHandler(sweep.folder.log)),
    ):
        places = Places(sweep, placement, allowance, audience, tell)
        search = SweepSearch(sweep, placement, trainer, interrupt, allowance)
        callback = SweepCallback(sweep, audience, faults, places, looks)
        with controlled(
            partial(SweepController, faults, nodes, places, _idle(placement), callback)
        ):
            # `tune.run` rather than a Tuner: a Tuner pickles itself into the run folder.
            tune.run(
                TrialActor,
                storage_path=str(sweep.folder.path.resolve()),
                name=sweep.folder.trials.name,
                search_alg=search,
                scheduler=SweepScheduler(sweep, audience, interrupt),
                stop=interrupt,
                reuse_actors=True,
                raise_on_failed_trial=False,
                verbose=0,
            )
    for leftover in sweep.folder.tune_leftovers:
        leftover.unlink(missing_ok=True)
    if faults.in_vain:
        return "failed"
    return "finished" if sweep.is_over else "interrupted"


def _idle(placement: Placement) -> dict[tune.PlacementGroupFactory, int]:
    """The idle processes to keep: one for each slot. None if shares differ, since a kept process
    would hold what a trial with another share needs."""
    if placement.resources.cases:
        return {}
    return {request(placement.share({})): placement.slots}
