"""What each trial gets of which node, and how many run at once. Knows no Ray."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sweeper.errors import ResourceError
from sweeper.plan.plan import Plan
from sweeper.spec.points import Point
from sweeper.spec.reading.yaml_source import KeyPath, YamlSource
from sweeper.spec.sweep_spec import ResourceCase, Resources
from trainable.config import TrainConfig
from trainable.loop.memory import estimate_memory

ROUNDING = 1e-6  # of sums of fractions; Ray counts in units of 1e-4


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Share:
    """What one trial gets of a node, and the processes that share it."""

    cpu: float
    gpu: float
    processes: int = 1

    @property
    def num_threads(self) -> int:
        """Of each process."""
        return max(1, int(self.cpu / self.processes))

    def memory(self, config: TrainConfig, at_once: int) -> int:
        """Bytes that a trial of `trainable` takes of each of its GPUs, or of the machine where it
        has none.

        Args:
            at_once: Sequences in one forward pass, at most.
        """
        at_once = min(at_once, config.rows_a_process(self.processes))
        return estimate_memory(config, at_once) * (1 if self.gpu else self.processes)

    @property
    def fits_gpus(self) -> bool:
        """Whether each process has a GPU of its own, or a part of one, or all have none."""
        return self.gpu in (0, self.processes) or (self.processes == 1 and self.gpu < 1)


@dataclass(frozen=True)
class Placement:
    """What trials get, with every `auto` worked out, and how many of them run at first."""

    resources: Resources
    slots: int

    def share(self, values: Point) -> Share:
        """What a trial with these values gets."""
        return share_of(self.resources, case_of(self.resources, values))

    def to_dict(self) -> dict[str, Any]:
        return {"slots": self.slots, **self.resources.model_dump()}


def place(plan: Plan, nodes: Sequence[Node], source: YamlSource) -> Placement:
    """Work out what the trials of a plan get on these nodes.

    Args:
        source: Where the spec was read from, for messages.

    Raises:
        ResourceError: a trial fits no node, or none has a CPU.
    """
    stated, most = plan.spec.resources, plan.spec.max_concurrent or len(plan.trials)
    if not any(node.cpus for node in nodes):
        raise ResourceError(
            f"no CPU for trials on any of {len(nodes)} nodes; start one that has some, as a worker "
            "of the cluster: an autoscaler starts none before a sweep has begun"
        )
    if stated == "auto":
        resources = even_shares(nodes, min(most, len(plan.trials)))
    else:
        resources = stated
        points = [trial.values for trial in plan.trials]
        cases = [case_of(stated, point) for point in points]
        if plan.has_stand_ins:  # any other may be suggested
            cases += stated.cases
        for case in {id(found): found for found in cases}.values():
            _require_room(stated, case, nodes, source)
    placement = Placement(resources, 0)
    shares = (placement.share(trial.values) for trial in plan.trials)
    return Placement(resources, num_at_once(shares, nodes, most))


def even_shares(nodes: Sequence[Node], num_trials: int) -> Resources:
    """What `auto` means. With GPUs each trial gets one, and an even share of the cores: at least
    one core, unless that would leave a GPU idle. Without GPUs there are as many trials as cores,
    or, if there are fewer trials, more cores for each."""
    gpu = 1 if any(node.gpus >= 1 for node in nodes) else 0
    room = sum(int(node.gpus if gpu else node.cpus) for node in nodes)
    wanted = max(1, min(num_trials, room))
    most = int(max(node.cpus for node in nodes))
    for cpu in (*range(most, 0, -1), *(1 / several for several in range(2, 65))):
        if num_at_once([Share(cpu, gpu)] * wanted, nodes, wanted) == wanted:
            break
    return Resources(cpu=cpu, gpu=gpu)


def num_at_once(shares: Iterable[Share], nodes: Sequence[Node], most: int) -> int:
    """How many trials with these shares have room at the same time, taken in this order."""
    rooms = [Room(node) for node in nodes]
    placed, full = 0, set[Share]()
    for share in shares:
        if placed == most:
            break
        if share in full:
            continue
        if any(room.take(share) for room in rooms):
            placed += 1
        else:
            full.add(share)
    return placed


class Room:
    """What is left of a node. A fraction of a GPU must come from a single GPU."""

    def __init__(self, node: Node) -> None:
        self.cpus = node.cpus + ROUNDING
        self.gpus = [1 + ROUNDING] * int(node.gpus)

    def take(self, share: Share) -> bool:
        """Take the share, if it fits. Returns whether it did."""
        each, number = (share.gpu, 1) if 0 < share.gpu < 1 else (1.0, int(share.gpu))
        chosen = [i for i, left in enumerate(self.gpus) if left >= each][:number]
        if share.cpu > self.cpus or len(chosen) < number:
            return False
        self.cpus -= share.cpu
        for i in chosen:
            self.gpus[i] -= each
        return True


def case_of(resources: Resources, values: Point) -> ResourceCase | None:
    return next((case for case in resources.cases if case.holds(values)), None)


def stated_share(resources: Resources | Literal["auto"], values: Point) -> Share:
    """What a trial with these values gets, as far as the file says it."""
    stated = Resources() if resources == "auto" else resources
    return share_of(stated, case_of(stated, values))


def share_of(resources: Resources, case: ResourceCase | None) -> Share:
    def stated(name: str) -> Any:
        of_case = None if case is None else getattr(case, name)
        return getattr(resources, name) if of_case is None else of_case

    gpu, processes = stated("gpu"), stated("processes")
    return Share(stated("cpu"), gpu, max(1, int(gpu)) if processes is None else processes)


def _require_room(
    resources: Resources, case: ResourceCase | None, nodes: Sequence[Node], source: YamlSource
) -> None:
    """Raises:
    ResourceError: no single node has what a trial asks for.
    """
    share = share_of(resources, case)
    if num_at_once([share], nodes, 1):
        return
    for name, wanted, there in (
        ("cpu", share.cpu, [node.cpus for node in nodes]),
        ("gpu", share.gpu, [node.gpus for node in nodes]),
    ):
        if wanted > (largest := max(there)):
            remedy = f"ask for at most {largest:g}" if largest else "remove it"
            if wanted <= sum(there):
                remedy = f"a trial is on one node, never over several: {remedy}"
            problem = f"a trial asks for {wanted:g}, but {_where(nodes)} {largest:g}; {remedy}"
            raise ResourceError(source.problem(stated_at(resources, case, name), problem))
    problem = (
        f"a trial asks for {share.cpu:g} CPUs and {share.gpu:g} GPUs, but no node has both; "
        "ask for fewer CPUs"
    )
    raise ResourceError(source.problem(stated_at(resources, case, "cpu"), problem))


def _where(nodes: Sequence[Node]) -> str:
    return f"the largest of {len(nodes)} nodes has" if len(nodes) > 1 else "this machine has"


def stated_at(resources: Resources, case: ResourceCase | None, name: str) -> KeyPath:
    if case is None or getattr(case, name) is None:
        return ("resources", name)
    return ("resources", "cases", resources.cases.index(case), name)
