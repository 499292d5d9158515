"""`python -m sweeper plan FILE`: what a sweep would do and cost. Starts and writes nothing."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sweeper.plan.devices import require_devices, require_gpus
from sweeper.plan.forecast import (
    Cost,
    Forecast,
    Machine,
    Shape,
    ShapeForecast,
    Speed,
    forecast,
    shape_of,
    shapes,
)
from sweeper.plan.placement import Node, Placement, Share, num_at_once, place
from sweeper.plan.plan import Plan, make_plan
from sweeper.plan.probe import data_to_look_at, measure_speeds, this_machine
from sweeper.plan.validation import thin_validation
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.format import count, duration, flops
from trainable.config import TrainConfig
from trainable.data.token_files import check_data

SHOWN_SHAPES = 20


def preview(file: Path, overrides: Sequence[str] = (), *, probe: bool = True) -> Forecast:
    """What the sweep in a file would cost on this machine, or on the cluster that RAY_ADDRESS
    names; with `probe`, in time too, at the speed of this machine.

    Raises:
        UserError: the sweep could not be run.
    """
    spec, source = load_spec(file, overrides)
    with data_to_look_at(spec) as data:
        plan = make_plan(spec, data, source)
        demands = {(s.vocab_size, s.context_length): config for s, config in shapes(plan).items()}
        for config in demands.values():
            check_data(config)
        require_devices(plan, source)
        here, free_memory = this_machine()
        nodes = _cluster_nodes() if "RAY_ADDRESS" in os.environ else (here,)
        placement = place(plan, nodes, source)
        require_gpus(plan, placement.resources, source)
        speeds = _speeds(plan, placement, here, free_memory) if probe else {}
        # The built-in corpus has enough, but may not be prepared yet.
        thin = thin_validation(plan) if spec.data is not None else None
    machine = Machine(slots=placement.slots, free_memory=free_memory)
    return replace(forecast(plan, machine, speeds), thin_validation=thin)


def _cluster_nodes() -> tuple[Node, ...]:
    from sweeper.runtime.ray_tune.runner import ray_cluster

    with ray_cluster() as cluster:
        return cluster.nodes


def _speeds(plan: Plan, placement: Placement, here: Node, free_memory: int) -> dict[Shape, Speed]:
    """Of each shape on this machine, as many at once as it has room for with such a share."""
    alike: dict[Share, dict[Shape, TrainConfig]] = {}
    for trial in plan.trials:
        shapes_of_share = alike.setdefault(placement.share(trial.values), {})
        shapes_of_share.setdefault(shape_of(trial.config), trial.config)
    speeds: dict[Shape, Speed] = {}
    for share, distinct in alike.items():
        if slots := num_at_once([share] * placement.slots, [here], placement.slots):
            machine = Machine(slots=slots, free_memory=free_memory)
            speeds |= measure_speeds(distinct, machine, share, num_trials=len(plan.trials))
    return speeds


def as_json(forecast: Forecast) -> str:
    return json.dumps(asdict(forecast), indent=2)


def print_forecast(console: Console, forecast: Forecast) -> None:
    at_once = min(forecast.slots, forecast.num_trials)
    console.print(
        f"[bold]{forecast.name}[/]: {forecast.num_trials} trials, {at_once} at a time, "
        f"scheduler {forecast.scheduler}\n"
    )
    console.print(_shape_table(forecast), soft_wrap=False)
    if (more := len(forecast.shapes) - SHOWN_SHAPES) > 0:
        console.print(f"… and {more} more")
    if len(forecast.rungs) > 1:
        console.print("\nExpected to reach")
        console.print(_rung_table(forecast), soft_wrap=False)
    console.print()
    console.print(_cost_table(forecast), soft_wrap=False)
    console.print()
    for note in _notes(forecast):
        console.print(note)


def _shape_table(forecast: Forecast) -> Table:
    table = _table("shape", "trials", "params", "memory", "tok/s", "evaluation")
    for shape in forecast.shapes[:SHOWN_SHAPES]:
        table.add_row(
            escape(shape.name),
            str(shape.num_trials),
            count(shape.num_params),
            f"{shape.memory / 2**20:,.0f} MiB" + (" too large" if shape.fits is False else ""),
            _tokens_per_second(shape),
            f"{shape.speed.evaluation_seconds:.2f}s" if shape.speed else "-",
        )
    return table


def _tokens_per_second(shape: ShapeForecast) -> str:
    if shape.speed is None:
        return "-"
    return f"{'' if shape.is_measured else '~'}{count(shape.speed.tokens_per_second)}"


def _rung_table(forecast: Forecast) -> Table:
    table = _table({"step": "step", "tokens": "tokens", "flops": "FLOPs"}[forecast.clock], "trials")
    for rung in forecast.rungs:
        at = str(rung.at) if forecast.clock == "step" else flops(rung.at)
        table.add_row(at, f"{rung.expected_trials:.1f}")
    return table


def _cost_table(forecast: Forecast) -> Table:
    table = _table("", "tokens", "FLOPs", "time")
    table.add_row("every trial to its end", *_cost(forecast.whole))
    if forecast.expected != forecast.whole:
        table.add_row("expected", *_cost(forecast.expected))
        table.add_row("saved", "", f"{forecast.saved:.0%}", "")
    return table


def _cost(cost: Cost) -> tuple[str, str, str]:
    return count(cost.tokens), flops(cost.flops), duration(cost.wall_seconds)


def _notes(forecast: Forecast) -> list[str]:
    notes = []
    if forecast.dropped:
        notes.append(f"The constraints ruled out {forecast.dropped} points.")
    if forecast.searcher:
        notes.append(
            f"{forecast.searcher} chooses points by results: random ones stand for them here."
        )
    if len(forecast.rungs) > 1:
        orders = f"all {forecast.orders_of_merit}" if forecast.is_exact else "random"
        notes.append(
            f"Expected: over {orders} orders of merit, each trial keeping its place at every rung."
        )
    if forecast.whole.wall_seconds is None:
        notes.append("No times: the speed of this machine was not measured.")
    else:
        notes.append("Times leave out Ray's start and the writing of checkpoints.")
    if any(shape.speed and not shape.is_measured for shape in forecast.shapes):
        notes.append("~ not measured: as fast, in FLOP/s, as the measured shape of nearest size.")
    if any(shape.fits is False for shape in forecast.shapes):
        notes.append("[red]too large: these trials would fail; make the model smaller.[/]")
    if forecast.thin_validation is not None:
        notes.append(f"[yellow]{forecast.thin_validation.sentence}[/]")
    return notes


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
