"""A Ray cluster that the tests of a module share: to start one takes longer than most of the sweeps
in them. Not all modules: one that was shared by the whole session once cancelled every actor from
some moment on, and why is not known (300 placement groups, one after the other, are borne well)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.sweeper.runtime.ray_tune.driver import GATE, HANG_AT, ROOT, STARTS
from tests.sweeper.runtime.ray_tune.faulty_trainers import BROKEN_WHILE, FULL_WHILE, NOTES

# What trials look at, by the name that it has in the folder of each test.
LOOKED_AT = {
    GATE: "gate",
    HANG_AT: "hang-at",
    STARTS: "starts",
    NOTES: "notes",
    FULL_WHILE: "full",
    BROKEN_WHILE: "broken",
}

# A cluster without what no trial needs, which takes more time to start than what they do.
PLAIN = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


TRIES = 3  # Ray gives a node 30 s to start, which may be short where much else runs


def started_cluster(tries: int = TRIES, **head: Any) -> Cluster:
    try:
        return Cluster(initialize_head=True, head_node_args={**PLAIN, **head})
    except Exception as error:  # Ray has no class for it
        if tries == 1 or "timed out during startup" not in str(error):
            raise
    return started_cluster(tries - 1, **head)


@pytest.fixture(scope="module")
def cluster_and_link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The cluster's address, and the link that its processes take for the folder of a test: they
    have the environment of the moment in which they were started."""
    link = tmp_path_factory.mktemp("shared") / "now"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        for variable, name in LOOKED_AT.items():
            patch.setenv(variable, str(link / name))
        # Ray's processes that no sweep needs take as long to start as those that it does.
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        cluster = started_cluster(num_cpus=os.cpu_count())
    yield cluster.address, link
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def cluster(
    cluster_and_link: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For sweeps that run on a cluster which outlives their drivers."""
    address, link = cluster_and_link
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for variable, name in LOOKED_AT.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
