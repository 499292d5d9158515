"""Trials that leave their places, on real clusters: to a sweep that is more urgent, and since their
node is about to go."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.exceptions import RayActorError

from sweeper.plan.placement import Share
from sweeper.record.run_folder import RunFolder
from sweeper.runtime.ray_tune.shared import broker as broker_module
from sweeper.runtime.ray_tune.shared.broker import NAME, NAMESPACE, Broker, claims_now
from sweeper.runtime.sharing.fairness import Claim
from sweeper.status import ExitCode
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.conftest import started_cluster
from tests.sweeper.runtime.ray_tune.driver import GATE, HANGS_AT, ROOT
from tests.sweeper.runtime.ray_tune.sessions import forked_session_of
from tests.sweeper.waiting import wait_until

pytestmark = pytest.mark.slow
TWO = {"space": {"learning_rate": {"grid": [1e-3, 2e-3]}}, "scheduler": {"type": "fifo"}}


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without this file trials stay at a step between two checkpoints."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    return tmp_path / "gate"


@pytest.fixture
def cluster(gate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head that runs no trials."""
    cluster = started_cluster(num_cpus=0)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


def started(folder: RunFolder) -> int:
    events = raw_events(folder.journal) if folder.journal.exists() else []
    return sum(event["event"] == "trial_started" for event in events)


def told(folder: RunFolder, trial: str, *kinds: str) -> list[tuple[str, int | None]]:
    """The trial's events of these kinds, each with its step."""
    return [
        (event["event"], event.get("step"))
        for event in raw_events(folder.journal)
        if event.get("trial") == trial and event["event"] in kinds
    ]


def test_an_urgent_sweep_has_a_place_at_once_and_no_step_is_lost(
    tmp_path: Path, write_space: Any, cluster: Cluster, gate: Path
) -> None:
    cluster.add_node(num_cpus=2)
    runs = tmp_path / "runs"
    long = RunFolder(runs / "long")
    space = write_space(name="long", resources={"cpu": 1}, train={"eval_every_steps": 4}, **TWO)
    first = forked_session_of("WaitingTrainer", "run", space, runs)
    wait_until(first, lambda: started(long) == 2)
    space = write_space(name="urgent", resources={"cpu": 1}, share={"priority": 1}, **TWO)
    second = forked_session_of("SlowTrainer", "run", space, runs)
    assert second.wait() == ExitCode.DONE, "though the first has all CPUs until the gate opens"
    gate.touch()
    assert first.wait() == ExitCode.DONE
    moved = [
        told(long, name, "gave_way", "checkpoint", "attempt_failed") for name in ("0000", "0001")
    ]
    assert any(kind == "gave_way" for trial in moved for kind, _ in trial)
    for trial in moved:
        assert all(kind != "attempt_failed" for kind, _ in trial)
        for before, (kind, _) in pairwise(trial):
            assert kind != "gave_way" or before == ("checkpoint", HANGS_AT)
    assert {
        trial["status"] for trial in raw_events(long.journal) if trial["event"] == "trial_ended"
    } == {"completed"}


def test_trials_leave_a_node_that_is_about_to_go(
    tmp_path: Path, write_space: Any, cluster: Cluster, gate: Path
) -> None:
    goes = cluster.add_node(num_cpus=1)
    space = write_space(name="long", resources={"cpu": 1}, train={"eval_every_steps": 4}, **TWO)
    long = RunFolder(tmp_path / "runs" / "long")
    driver = forked_session_of("WaitingTrainer", "run", space, tmp_path / "runs")
    wait_until(
        driver,
        lambda: ("checkpoint", 4) in told(long, "0000", "checkpoint") if started(long) else False,
    )
    cluster.add_node(num_cpus=2)
    subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", cluster.address,
         "--node-id", goes.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION",
         "--reason-message", "the spot market", "--deadline-remaining-seconds", "600"],
        check=True,
    )  # fmt: skip
    wait_until(
        driver, lambda: started(long) == 3
    )  # elsewhere, and the second, on the node that came
    gate.touch()
    assert driver.wait() == ExitCode.DONE
    kinds = ("checkpoint", "gave_way", "attempt_failed")
    assert told(long, "0000", *kinds)[:3] == [
        ("checkpoint", 4), ("checkpoint", HANGS_AT), ("gave_way", None),
    ]  # fmt: skip
    assert not told(long, "0000", "attempt_failed")


class Earlier:
    """A broker of a version that does not tell what is claimed."""


def test_a_broker_tells_what_is_claimed_and_ends_when_nobody_claims_anything_more(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray.init(address=cluster.address)
    try:
        assert claims_now() == []
        actor = ray.remote(num_cpus=0, max_restarts=-1)(Broker)
        where = {"namespace": NAMESPACE, "lifetime": "detached"}
        broker = actor.options(name=NAME, **where).remote()
        claim = Claim(sweep="a", share=Share(1, 0), wants=2, holds=0)
        ray.get(broker.renew.remote(claim))
        assert claims_now() == [claim]
        gone = actor.options(name="another", **where).remote(0.0)
        with pytest.raises(RayActorError):
            for _ in range(1000):
                assert ray.get(gone.claims.remote()) == []
                time.sleep(0.1)
        ray.get_actor(NAME, namespace=NAMESPACE)  # the first is there
        earlier = ray.remote(num_cpus=0)(Earlier).options(name="earlier", **where).remote()
        monkeypatch.setattr(broker_module, "NAME", "earlier")
        assert claims_now() is None, "what is claimed is not known"
        ray.kill(earlier)
    finally:
        ray.shutdown()
