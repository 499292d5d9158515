"""Nodes that die and memory that runs out, on clusters of several nodes on this machine."""

import io
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ray.cluster_utils import Cluster
from rich.console import Console

from sweeper.record.metrics_files import read_metrics
from sweeper.record.run_folder import RunFolder
from sweeper.running import run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode
from sweeper.views.format import headline
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.conftest import PLAIN
from tests.sweeper.runtime.ray_tune.driver import EXIT, GATE, NODE_WAIT
from tests.sweeper.runtime.ray_tune.faulty_trainers import (
    DOOMED,
    DOOMED_NODES,
    EATER,
    EXITS,
    NOTES,
    SOUND,
)
from tests.sweeper.runtime.ray_tune.test_kills import (
    decided,
    events,
    go_on_without_ray,
    rows,
    state_of,
    undisturbed,
)
from tests.sweeper.runtime.ray_tune.test_resume import session
from tests.sweeper.waiting import wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]
QUICK_TO_MISS_A_NODE = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head that runs no trials."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    head = {**PLAIN, "num_cpus": 0, "_system_config": QUICK_TO_MISS_A_NODE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


def run(space: Path, tmp_path: Path, trainer: str) -> RunFolder:
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=tmp_path / "runs", dashboard=False, trainer=trainer)
    assert run_file(space, console, options).exit_code is ExitCode.DONE
    return RunFolder(tmp_path / "runs" / "tiny")


def crash(cluster: Cluster, node: Any, pid: int) -> None:
    """The machine is gone from one moment to the next."""
    cluster.remove_node(node, allow_graceful=False)


def leave(cluster: Cluster, node: Any, pid: int) -> None:
    cluster.remove_node(node, allow_graceful=True)


def go_down(cluster: Cluster, node: Any, pid: int) -> None:
    """A machine that is shut down: its processes end before it does."""
    os.kill(pid, signal.SIGKILL)
    leave(cluster, node, pid)


def test_a_lost_node_costs_nothing_but_the_steps_since_the_checkpoint(
    tmp_path: Path, write_space: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three nodes with a trial each, one after the other, in three ways; one stays."""
    notes, doomed_nodes = tmp_path / "notes", tmp_path / "doomed"
    notes.mkdir()
    looked_at = {NOTES: str(notes), DOOMED_NODES: str(doomed_nodes)}
    monkeypatch.setattr("sweeper.runtime.ray_tune.faults.NODE_GRACE_SECONDS", 60.0)
    nodes = [cluster.add_node(num_cpus=1, env_vars=looked_at) for _ in range(4)]
    ends = dict(zip(nodes[1:], (crash, leave, go_down), strict=True))
    doomed_nodes.write_text("\n".join(node.node_id for node in ends))

    def doom() -> None:
        for node, end in ends.items():
            note = notes / node.node_id
            while not note.exists() or not note.read_text().endswith("\n"):
                if over.wait(0.05):  # between two looks at the condition
                    return
            end(cluster, node, int(note.read_text()))

    over = threading.Event()
    fate = threading.Thread(target=doom)
    fate.start()
    space = write_space(
        space={"learning_rate": {"grid": [1e-3, 2e-3, 3e-3, 4e-3]}}, scheduler={"type": "fifo"},
        train={"eval_every_steps": 4}, max_retries=0,
    )  # fmt: skip
    try:
        folder = run(space, tmp_path, DOOMED)
    finally:
        over.set()
        fate.join()

    rows = pq.read_table(folder.results).to_pylist()
    assert [(r["status"], r["num_failures"], r["error"]) for r in rows] == [
        ("completed", 0, None)
    ] * 4
    lost = [e for e in raw_events(folder.journal) if e["event"] == "attempt_failed"]
    assert len({event["trial"] for event in lost}) == len(lost) == 3
    for event in lost:
        assert event["counted"] is False
        assert headline(event["error"]).startswith("The node of the trial was lost")
    for row in rows:
        steps = [r.step for r in read_metrics(folder.trial_metrics(row["trial_id"]))]
        assert steps == [4, 8, 12, 16]


def test_a_kill_by_rays_memory_monitor_is_one_failure(
    tmp_path: Path, write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor's threshold is what is in use now and more than other tests take meanwhile."""
    kib = {
        line.split(":")[0]: int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
    }
    more = min(kib["MemAvailable"] // 2, 4 * 2**20)
    threshold = (kib["MemTotal"] - kib["MemAvailable"] + more) / kib["MemTotal"]
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{threshold:.3f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    space = write_space(
        space={"learning_rate": {"grid": [EXITS, SOUND]}}, scheduler={"type": "fifo"},
        train={"eval_every_steps": 4}, max_retries=3, max_concurrent=1,
    )  # fmt: skip
    folder = run(space, tmp_path, EATER)
    rows = {r["learning_rate"]: r for r in pq.read_table(folder.results).to_pylist()}
    assert {row["status"] for row in rows.values()} == {"completed"}
    said = [
        headline(event["error"])
        for event in raw_events(folder.journal)
        if event["event"] == "attempt_failed" and event["trial"] == rows[EXITS]["trial_id"]
    ]
    assert "Ray ended the trial because its node was running out of memory" in said[0]
    assert rows[EXITS]["num_failures"] == len(said)


def test_ray_of_this_machine_dies(
    tmp_path: Path, write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its only node, and when the sweep has been resumed its head."""
    gate, said = tmp_path / "gate", tmp_path / "stderr"
    waited = gate.with_suffix(".waited-at")
    monkeypatch.setenv(GATE, str(gate))
    monkeypatch.setenv(NODE_WAIT, "2")
    space = write_space(resources={"cpu": os.cpu_count()})
    folder, whole = RunFolder(tmp_path / "runs" / "tiny"), undisturbed(space, tmp_path / "whole")
    for begin, process, told in (
        (("run", space), "raylet", "none is alive. Waiting 2 s for one; then the sweep ends here"),
        (
            ("resume", "tiny"),
            "gcs_server",
            "does not answer. Waiting 2 s for it; then the sweep ends here",
        ),
    ):
        waited.unlink(missing_ok=True)
        with said.open("w") as stderr:
            driver = session(*begin, folder.path.parent, stderr=stderr)
        wait_until(driver, waited.exists)
        of_driver = ["pgrep", "-P", str(driver.pid), "-x", process]
        found = subprocess.run(of_driver, capture_output=True, text=True, check=True).stdout
        os.kill(int(found), signal.SIGKILL)
        assert driver.wait() == ExitCode.INTERRUPTED
        assert told in said.read_text()
        by_itself = events(folder)[-1].get("outcome") == "interrupted"
        assert by_itself or "Ended at once. Go on with:  python -m sweeper res" in said.read_text()
        assert not any(event.get("counted") for event in events(folder))
        monkeypatch.setenv(EXIT, "4")  # without its head a thread of Ray's takes a core

    go_on_without_ray(folder)
    assert decided(folder) == decided(whole)
    assert rows(state_of(folder), folder) == rows(state_of(whole), whole)
