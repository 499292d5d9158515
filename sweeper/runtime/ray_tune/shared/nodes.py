"""The cluster's nodes, and those of them that are about to go: by `ray drain-node`, since a spot
machine is taken back, or an autoscaler wants fewer."""

from collections.abc import Collection

import ray
from ray._private.state import state

from sweeper.plan.placement import Node


def staying_nodes(going: Collection[str] | None = None) -> tuple[Node, ...]:
    """Those that trials can be placed on.

    Args:
        going: What `going_nodes` has just said.
    """
    leave = going_nodes() if going is None else going
    nodes = (node for node in ray.nodes() if node["Alive"] and node["NodeID"] not in leave)
    there = (node["Resources"] for node in nodes)
    return tuple(Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in there)


def going_nodes() -> set[str]:
    """The ids of those that are about to go. Ray places nothing there any more."""
    return set(state.get_draining_nodes())
