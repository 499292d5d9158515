"""What trials get and how many run at once, against packing them one by one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import ResourceError
from sweeper.plan.placement import (
    Node,
    Placement,
    Share,
    even_shares,
    num_at_once,
    place,
    share_of,
)
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import Resources
from sweeper.spec.trainer.config import ours
from trainable.loop.memory import estimate_memory

LAPTOP = [Node(2, 0)]
BOX = [Node(64, 8)]
NOWHERE = YamlSource(Path("space.yaml"), {}, {})
SIZES = {
    "size": {"grid": {"small": {"d_model": 16}, "large": {"d_model": 32}}},
    "learning_rate": {"grid": [1e-3, 1e-2]},
}


@pytest.mark.parametrize(
    ("nodes", "num_trials", "cpu", "gpu", "at_once"),
    [
        (LAPTOP, 8, 1, 0, 2),
        (LAPTOP, 1, 2, 0, 1),
        (BOX, 100, 8, 1, 8),
        (BOX, 4, 16, 1, 4),
        ([Node(4, 0), Node(4, 0)], 100, 1, 0, 8),
        ([Node(4, 0), Node(4, 0)], 2, 4, 0, 2),
        ([Node(4, 0), Node(4, 0)], 3, 2, 0, 3),
        ([Node(64, 0), Node(8, 2)], 100, 4, 1, 2),  # on the node with GPUs
        ([Node(2, 4)], 100, 0.5, 1, 4),  # no GPU idles for want of a core
    ],
)
def test_auto_shares_out_what_there_is(
    nodes: list[Node], num_trials: int, cpu: float, gpu: float, at_once: int
) -> None:
    share = even_shares(nodes, num_trials)
    assert (share.cpu, share.gpu) == (cpu, gpu)
    assert num_at_once([Share(cpu, gpu)] * num_trials, nodes, num_trials) == at_once


@pytest.mark.parametrize(
    ("share", "nodes", "at_once"),
    [
        (Share(3, 0), [Node(4, 0), Node(4, 0)], 2),  # not 8 // 3 and not more by the remainders
        (Share(0.1, 0), [Node(1, 0)], 10),
        (Share(1, 0.4), [Node(16, 2)], 4),  # two on each GPU: a fraction is of one
        (Share(1, 0.25), [Node(16, 1)], 4),
        (Share(1, 2), [Node(16, 3)], 1),
        (Share(8, 0), [Node(4, 0), Node(4, 0)], 0),
    ],
)
def test_slots_are_counted_node_by_node(share: Share, nodes: list[Node], at_once: int) -> None:
    assert num_at_once([share] * 100, nodes, 100) == at_once


nodes = st.lists(st.builds(Node, st.integers(1, 16), st.integers(0, 4)), min_size=1, max_size=4)


@given(nodes=nodes, num_trials=st.integers(1, 40))
def test_auto_leaves_nothing_idle_that_a_trial_could_use(
    nodes: list[Node], num_trials: int
) -> None:
    resources = even_shares(nodes, num_trials)
    share = Share(resources.cpu, resources.gpu)
    gpus, cpus = sum(node.gpus for node in nodes), sum(node.cpus for node in nodes)
    at_once = num_at_once([share] * num_trials, nodes, num_trials)
    assert at_once == min(num_trials, gpus or cpus)
    assert resources.gpu == (1 if gpus else 0)


def test_each_size_gets_its_own(tiny_plan: Any) -> None:
    plan = tiny_plan(
        space=SIZES,
        resources={"cpu": 1, "cases": [{"when": {"size": "large"}, "cpu": 3, "gpu": 0.5}]},
    )
    placement = place(plan, [Node(4, 1)], NOWHERE)
    assert placement.share({"size": "small", "learning_rate": 1e-3}) == Share(1, 0)
    assert placement.share({"size": "large", "learning_rate": 1e-3}) == Share(3, 0.5)
    assert placement.share({"size": "large"}).num_threads == 3
    assert placement.slots == 2  # one of each, or one and one more: 3 + 1 of 4 cores


def test_several_processes_share_what_a_trial_gets(tiny_plan: Any) -> None:
    """One a GPU where nothing is said. Each has the whole model, and a GPU, or a part of the
    machine's memory."""
    plan = tiny_plan(
        space=SIZES,
        resources={"cpu": 4, "processes": 2, "cases": [{"when": {"size": "large"}, "gpu": 2}]},
    )
    placement = place(plan, [Node(9, 2)], NOWHERE)
    two = placement.share({"size": "small"})
    assert (two, two.num_threads, placement.slots) == (Share(4, 0, 2), 2, 2)
    assert placement.share({"size": "large"}) == Share(4, 2, 2)
    assert share_of(Resources(gpu=4), None).processes == 4
    config = ours(plan.trials[0].config)
    of_each = estimate_memory(config, micro_batch_size=config.batch_size // 2)
    assert two.memory(config, at_once=config.batch_size) == 2 * of_each
    assert Share(4, 2, 2).memory(config, at_once=config.batch_size) == of_each


def test_max_concurrent_bounds_what_runs_and_is_shared_among(tiny_plan: Any) -> None:
    assert place(tiny_plan(max_concurrent=3), [Node(16, 0)], NOWHERE) == Placement(
        Resources(cpu=5, gpu=0), slots=3
    )
    stated = tiny_plan(max_concurrent=3, resources={"cpu": 1})
    assert place(stated, [Node(16, 0)], NOWHERE).slots == 3


@pytest.mark.parametrize(
    ("resources", "nodes", "problem"),
    [
        ({"cpu": 8}, [Node(4, 0), Node(4, 0)],
         "resources.cpu: a trial asks for 8, but the largest of 2 nodes has 4; "
         "a trial is on one node, never over several: ask for at most 4"),
        ({"cpu": 9}, [Node(4, 0), Node(4, 0)],
         "resources.cpu: a trial asks for 9, but the largest of 2 nodes has 4; "
         "ask for at most 4"),
        ({"gpu": 1}, LAPTOP, "resources.gpu: a trial asks for 1, but this machine has 0; "
         "remove it"),
        ({"cpu": 8, "gpu": 1}, [Node(64, 0), Node(4, 1)],
         "resources.cpu: a trial asks for 8 CPUs and 1 GPUs, but no node has both; "
         "ask for fewer CPUs"),
        ({"cases": [{"when": {"size": "large"}, "cpu": 3}]}, LAPTOP,
         "resources.cases.0.cpu: a trial asks for 3, but this machine has 2; ask for at most 2"),
    ],
)  # fmt: skip
def test_a_trial_that_fits_no_node_is_refused(
    tiny_plan: Any, resources: Any, nodes: list[Node], problem: str
) -> None:
    with pytest.raises(ResourceError) as error:
        place(tiny_plan(space=SIZES, resources=resources), nodes, NOWHERE)
    assert str(error.value) == f"space.yaml: {problem}"


@pytest.mark.parametrize("resources", ["auto", {"cpu": 0.01}])
def test_nodes_for_drivers_only_are_refused(tiny_plan: Any, resources: Any) -> None:
    with pytest.raises(ResourceError, match="no CPU for trials on any of 1 nodes; start one that"):
        place(tiny_plan(resources=resources), [Node(0, 0)], NOWHERE)


def test_a_case_that_may_yet_be_suggested_must_fit_too(tiny_plan: Any) -> None:
    """A single stand-in is of one size; what is suggested may be of the other."""
    cases = [{"when": {"size": size}, "cpu": 4} for size in ("small", "large")]
    for case in cases:
        sections = {"space": SIZES, "resources": {"cpu": 1, "cases": [case]}}
        plan = tiny_plan(**sections, search={"algorithm": "tpe", "num_trials": 1})
        with pytest.raises(ResourceError, match="a trial asks for 4, but this machine has 2"):
            place(plan, LAPTOP, NOWHERE)
    drawn = tiny_plan(**sections, search={"algorithm": "random", "num_trials": 1, "seed": 1})
    assert {trial.values["size"] for trial in drawn.trials} == {"small"}
    assert place(drawn, LAPTOP, NOWHERE).slots == 1
