"""A cluster without a node for a sweep: what is said, how long it waits, when it ends."""

import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweeper.plan.placement import Node, Placement
from sweeper.record.run_folder import create_run_folder
from sweeper.runtime.nodes import Nodes, watching_head
from sweeper.spec.sweep_spec import ResourceCase, Resources
from tests.sweeper.in_process import opened

BIG, SMALL = Node(4.0, 1.0), Node(1.0, 0.0)


class Watched:
    """A watch over a cluster whose nodes are as stated."""

    def __init__(self, sweep: Any, resources: Resources) -> None:
        self.nodes: list[Node] = []
        self.said: list[str] = []
        self.ended_at: list[float] = []
        self.now = 0.0
        self.watch = Nodes(
            sweep, Placement(resources, slots=2), lambda: self.nodes,
            lambda: self.ended_at.append(self.now), wait_seconds=30.0, say=self.said.append,
        )  # fmt: skip

    def until(self, now: int, *, live: set[str], placed: set[str], nodes: list[Node]) -> None:
        self.nodes = nodes
        while self.now < now:
            self.now += 1.0
            self.watch.watch(live, placed, self.now)


@pytest.fixture
def watched(tmp_path: Path, tiny_plan: Any) -> Iterator[Any]:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")

    @contextmanager
    def watch(**resources: Any) -> Iterator[Watched]:
        with opened(folder, plan) as sweep:
            for _ in range(2):
                assert sweep.next_trial() is not None
            yield Watched(sweep, Resources(**resources))

    return watch


BOTH = {"0000", "0001"}


def test_with_no_node_it_says_so_at_once_waits_and_ends(watched: Any) -> None:
    with watched(cpu=1) as cluster:
        cluster.until(10, live=BOTH, placed={"0000"}, nodes=[])
        assert cluster.said == [], "a trial has a process: its failure has not been heard of"
        cluster.until(11, live=BOTH, placed=set(), nodes=[])
        (said,) = cluster.said
        assert said.startswith("The nodes of the cluster are lost: none is alive. Waiting 30 s")
        cluster.until(40, live=BOTH, placed=set(), nodes=[])
        assert cluster.ended_at == []
        cluster.until(41, live=BOTH, placed=set(), nodes=[])
        assert cluster.ended_at == [41.0]


def test_a_node_that_comes_back_in_time_ends_nothing(watched: Any) -> None:
    with watched(cpu=1) as cluster:
        cluster.until(20, live=BOTH, placed=set(), nodes=[])
        cluster.until(25, live=BOTH, placed=set(), nodes=[SMALL])
        assert cluster.said[1:] == ["There is a node again."]
        cluster.until(50, live=BOTH, placed=set(), nodes=[])
        assert cluster.ended_at == [], "it waits anew"


def test_a_node_that_is_too_small_is_none(watched: Any) -> None:
    with watched(cpu=2, gpu=1) as cluster:
        cluster.until(60, live=BOTH, placed=set(), nodes=[SMALL, Node(8.0, 0.0)])
        assert "No node that is left in the cluster has room" in cluster.said[0]
        assert cluster.ended_at != []


def test_one_trial_that_fits_is_enough(watched: Any) -> None:
    with watched(cpu=1) as cluster:
        rate = cluster.watch.sweep.trials["0000"].values["learning_rate"]
        cases = [ResourceCase(when={"learning_rate": rate}, cpu=4)]
        cluster.watch.placement = Placement(Resources(cpu=1, cases=cases), slots=2)
        cluster.until(60, live=BOTH, placed=set(), nodes=[SMALL])
        assert cluster.said == []
        cluster.until(120, live={"0000"}, placed=set(), nodes=[SMALL])
        assert cluster.ended_at != []


def test_where_nothing_waits_nothing_is_missed(watched: Any) -> None:
    with watched(cpu=1) as cluster:
        cluster.until(60, live=set(), placed=set(), nodes=[])
        assert cluster.said == []


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeper.runtime.nodes.HEAD_LOOK_SECONDS", 0.01)


def test_a_head_that_is_gone_is_told_and_waited_for_before_the_end(
    quick_looks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.runtime.nodes.HEAD_WAIT_SECONDS", 0.05)
    said: queue.Queue[str] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        watch = watching_head(address, lambda: said.put("the end"), said.put)
        with watch:
            head.accept()[0].close()
            head.close()
            told = [said.get(timeout=60) for _ in range(3)]
    assert told == [
        f"The head of the Ray cluster, {address}, does not answer. Waiting 0.05 s for it; then the "
        "sweep ends here, and can be resumed.",
        "It has not come back.",
        "the end",
    ]


def test_a_head_that_comes_back_ends_nothing(quick_looks: None) -> None:
    said: queue.Queue[str] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
    with watching_head(f"127.0.0.1:{port}", lambda: said.put("the end"), said.put):
        assert "Waiting 30 s for it" in said.get(timeout=60)
        with socket.create_server(("127.0.0.1", port)):
            assert said.get(timeout=60) == "The head of the cluster answers again."
    assert said.empty() or "does not answer" in said.get()


def test_a_head_that_answers_is_not_spoken_of(quick_looks: None) -> None:
    said: queue.Queue[str] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with watching_head(address, lambda: said.put("the end"), said.put):
            for _ in range(3):
                head.accept()[0].close()
    assert said.empty()
