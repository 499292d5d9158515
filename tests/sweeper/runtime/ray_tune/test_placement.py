"""Where trials run on a real Ray cluster of several nodes, and how many at a time."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console

from sweeper.commands.sweeping import look_at_cluster
from sweeper.errors import ResourceError
from sweeper.plan.cost.preview import preview
from sweeper.record.run_folder import RunFolder
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode
from tests.sweeper.closed_form import ClosedFormTrainer
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.conftest import started_cluster

TRAINER = "tests.sweeper.runtime.ray_tune.test_placement:ThreadsTrainer"
BEGUN = "SWEEPER_TEST_BEGUN"  # a folder, with a file for each trial that has begun
WAIT_SECONDS = 400.0  # after which a trial that is alone fails


class ThreadsTrainer(ClosedFormTrainer):
    """Reports the number of its threads as its gradient's norm; trains once two have begun."""

    def __init__(self, *args: Any, num_threads: int, **named: Any) -> None:
        super().__init__(*args, num_threads=num_threads, **named)
        self.num_threads = num_threads

    def train(self) -> Iterator[Any]:
        begun = Path(os.environ[BEGUN])
        (begun / f"{self.config.d_model}-{self.config.learning_rate}").touch()
        until = time.monotonic() + WAIT_SECONDS
        while len(list(begun.iterdir())) < 2:
            assert time.monotonic() < until, "no other trial began beside this one"
            time.sleep(0.01)
        yield from super().train()

    def _metrics(self, loss: float) -> Any:
        metrics = super()._metrics(loss)
        object.__setattr__(metrics, "grad_norm", float(self.num_threads))
        return metrics


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A node of 3 CPUs and one of 2."""
    monkeypatch.setenv(BEGUN, str(tmp_path / "begun"))  # which the nodes' processes inherit
    (tmp_path / "begun").mkdir()
    cluster = started_cluster(num_cpus=3, num_gpus=0)
    cluster.add_node(num_cpus=2, num_gpus=0)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield
    ray.shutdown()
    cluster.shutdown()


def most_at_once(journal: list[dict[str, Any]]) -> int:
    running, most = set[str](), 0
    for event in journal:
        if event["event"] == "trial_started":
            running.add(event["trial"])
        if event["event"] == "trial_ended":
            running.discard(event["trial"])
        most = max(most, len(running))
    return most


@pytest.mark.slow
def test_on_two_nodes(two_nodes: None, tmp_path: Path, write_space: Any) -> None:
    """No node has 4 CPUs, though the cluster has 5; each size gets its own; two run at
    once, since the first waits for another, and never more."""
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=tmp_path / "runs", dashboard=False, trainer=TRAINER)
    too_much = write_space(resources={"cpu": 4})
    told = r"space.yaml:\d+: resources.cpu: a trial asks for 4, but the largest of 2 nodes has 3"
    with pytest.raises(ResourceError, match=told):
        preview(too_much, nodes=lambda: look_at_cluster()[0], probe=False)
    with pytest.raises(ResourceError, match=told):
        run_file(too_much, console, options)
    assert not (tmp_path / "runs").exists()

    sizes = {"small": {"d_model": 16}, "large": {"d_model": 32}}
    space = write_space(
        space={"size": {"grid": sizes}, "learning_rate": {"grid": [1e-4, 1e-2]}},
        scheduler={"type": "fifo"},
        train={"eval_every_steps": 4},
        resources={"cpu": 1, "cases": [{"when": {"size": "large"}, "cpu": 2}]},
        max_concurrent=2,
    )
    assert preview(space, nodes=lambda: look_at_cluster()[0], probe=False).slots == 2
    assert run_file(space, console, options).exit_code is ExitCode.DONE
    journal = list(raw_events(RunFolder(tmp_path / "runs" / "tiny").journal))
    assert most_at_once(journal) == 2
    placement = journal[0]["placement"]
    assert (placement["slots"], placement["cpu"]) == (2, 1)
    size = {e["id"]: e["values"]["size"] for e in journal if e["event"] == "trial_created"}
    threads = {
        (size[e["trial"]], e["metrics"]["grad_norm"]) for e in journal if e["event"] == "report"
    }
    assert threads == {("small", 1.0), ("large", 2.0)}
