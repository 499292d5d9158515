"""What a sweep would do and cost. Nothing is started or written."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sweeper.plan.cost.forecast import Forecast, Taken, forecast
from sweeper.plan.cost.probe import data_to_look_at, load_of_others, measure_speeds, this_machine
from sweeper.plan.cost.queue import Part, beside_others
from sweeper.plan.cost.shapes import Machine, Shape, Speed, shape_of, shapes
from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.placement import Node, Placement, Share, num_at_once, place
from sweeper.plan.plan import Plan, make_plan
from sweeper.plan.validation import thin_validation
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.trainer.config import ours
from trainable.config import TrainConfig
from trainable.data.token_files import check_data


def preview(
    file: Path,
    overrides: Sequence[str] = (),
    *,
    nodes: Callable[[], Sequence[Node]] | None = None,
    part: Callable[[Plan, Placement], Part | None] | None = None,
    read_earlier: Callable[[Plan, YamlSource], Taken] | None = None,
    probe: bool = True,
) -> Forecast:
    """What the sweep in a file would cost; with `probe`, in time too, at the speed of this machine.

    Args:
        nodes: Gives the nodes of the cluster to run on, and is called once the file is known to be
            right. None means this machine alone.
        part: Says what of that cluster it would have beside the sweeps that are there, once it is
            known where its trials have room.
        read_earlier: Reads the sweep that `search.from` names, as a run would, and says what
            that spares this one. None means that nobody looks whether it is there.

    Raises:
        UserError: the sweep could not be run.
    """
    spec, source = load_spec(file, overrides)
    with data_to_look_at(spec, source) as data:
        plan = make_plan(spec, data, source)
        demands = {(s.vocab_size, s.context_length): config for s, config in shapes(plan).items()}
        for config in demands.values():
            check_data(config)
        taken = None
        if spec.search.from_run is not None and read_earlier is not None:
            taken = read_earlier(plan, source)
        if spec.is_ours:
            require_devices(plan, source)
        here, free_memory = this_machine()
        placement = place(plan, (here,) if nodes is None else nodes(), source)
        if spec.is_ours:
            require_gpus(plan, placement.resources, source)
        probe = probe and spec.is_ours  # how fast another trainer is nobody knows
        load = load_of_others(here.cpus) if probe else None
        speeds = _speeds(plan, placement, here, free_memory) if probe else {}
        # The built-in corpus has enough, but may not be prepared yet.
        thin = thin_validation(plan) if spec.data is not None else None
    machine = Machine(slots=placement.slots, free_memory=free_memory, placement=placement)

    def wall_seconds(slots: int) -> tuple[float | None, float | None]:
        told = forecast(plan, replace(machine, slots=slots), speeds, taken)
        return told.whole.wall_seconds, told.expected.wall_seconds

    has = None if part is None else part(plan, placement)
    return replace(
        forecast(plan, machine, speeds, taken),
        load=load,
        thin_validation=thin,
        queue=None if has is None else beside_others(has, wall_seconds),
    )


def planned(file: Path, overrides: Sequence[str] = ()) -> Plan:
    """What the sweep in a file would do, without what it costs.

    Raises:
        UserError: the sweep could not be run.
    """
    spec, source = load_spec(file, overrides)
    with data_to_look_at(spec, source) as data:
        return make_plan(spec, data, source)


def _speeds(plan: Plan, placement: Placement, here: Node, free_memory: int) -> dict[Shape, Speed]:
    """The speed of each shape on this machine, with as many at once as there is room for."""
    alike: dict[Share, dict[Shape, TrainConfig]] = {}
    for trial in plan.trials:
        if (shape := shape_of(trial.config)) is not None:
            shapes_of_share = alike.setdefault(placement.share(trial.values), {})
            shapes_of_share.setdefault(shape, ours(trial.config))
    speeds: dict[Shape, Speed] = {}
    for share, distinct in alike.items():
        if slots := num_at_once([share] * placement.slots, [here], placement.slots):
            machine = Machine(slots=slots, free_memory=free_memory)
            speeds |= measure_speeds(distinct, machine, share, num_trials=len(plan.trials))
    return speeds
