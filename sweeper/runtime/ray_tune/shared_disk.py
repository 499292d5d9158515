"""Whether every node of a cluster sees the run folders. Where one does not, a trial would train
there, fail at its first checkpoint, and be tried again."""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeper.errors import ResourceError
from sweeper.record.stores.places import address_of

Ask = Callable[[Sequence[str], Path], list[bool]]
ANSWER_SECONDS = 60.0


def require_shared(runs: Path) -> None:
    """
    Raises:
        ResourceError: a node does not see the folder, whose sweeps are on disks.
    """
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    if len(nodes) > 1 and address_of(runs) is None:
        require_seen(runs, nodes, _ask_nodes)


def require_seen(runs: Path, nodes: dict[str, str], ask: Ask) -> None:
    """
    Args:
        nodes: The hosts' names by the nodes' ids.

    Raises:
        ResourceError: as `require_shared`.
    """
    probe = runs.resolve() / f".seen-{secrets.token_hex(8)}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        seen = ask(list(nodes), probe)
    except OSError as error:
        raise ResourceError(f"{runs}: cannot be written ({error.strerror}): --runs") from None
    finally:
        probe.unlink(missing_ok=True)
    blind = [host for host, sees in zip(nodes.values(), seen, strict=True) if not sees]
    if blind:
        raise ResourceError(
            f"{probe.parent}: {', '.join(blind)} of the cluster's {len(nodes)} nodes do not see "
            "this folder, and a trial there could not bring its checkpoints to it; name a folder "
            "that all share, or a bucket: --runs s3://BUCKET/PREFIX (docs/cluster.md)"
        )


def _ask_nodes(nodes: Sequence[str], probe: Path) -> list[bool]:
    """A node that does not answer is none that trials run on."""
    asked = [
        _sees.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            str(probe)
        )
        for node in nodes
    ]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=ANSWER_SECONDS)
    return [_answer(each) if each in ready else True for each in asked]


def _answer(asked: "ray.ObjectRef") -> bool:
    try:
        return bool(ray.get(asked))
    except RayError:  # it has gone meanwhile
        return True


@ray.remote(num_cpus=0)
def _sees(probe: str) -> bool:
    return Path(probe).exists()
