"""What `python -m sweeper plan` prints."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper.plan.cost.forecast import BranchForecast, Cost, Forecast
from sweeper.plan.cost.queue import QueueForecast
from sweeper.plan.cost.shapes import ShapeForecast
from sweeper.plan.cost.spend import SpendForecast
from sweeper.views.format import count, duration, flops
from trainable.settings import counted

SHOWN_SHAPES = 20


def as_json(forecast: Forecast) -> str:
    return json.dumps(asdict(forecast), indent=2)


def print_forecast(console: Console, forecast: Forecast) -> None:
    at_once = min(forecast.slots, forecast.num_trials - (forecast.num_taken or 0))
    trials = f"{counted(forecast.num_trials, 'trial')}, {at_once} at a time"
    told = f": {trials}, scheduler {forecast.scheduler}\n"
    console.print(Text.assemble((forecast.name, "bold"), told))
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
            shape.name,
            str(shape.num_trials),
            count(shape.num_params),
            _memory(shape),
            _tokens_per_second(shape),
            f"{shape.speed.evaluation_seconds:.2f}s" if shape.speed else "-",
        )
    return table


def _memory(shape: ShapeForecast) -> str:
    if shape.memory is None:
        return "-"
    return f"{shape.memory / 2**20:,.0f} MiB" + (" too large" if shape.fits is False else "")


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
    branches = forecast.branches
    if branches is not None and branches.num_forks:
        table.add_row("every trial by itself", *_cost(branches.alone))
        table.add_row(f"forked from {_trunks(branches)}", *_cost(forecast.whole))
        table.add_row("saved", "", f"{1 - branches.share:.0%}", "")
    else:
        table.add_row("every trial to its end", *_cost(forecast.whole))
    if forecast.expected != forecast.whole:
        table.add_row("expected", *_cost(forecast.expected))
        table.add_row("saved", "", f"{forecast.saved:.0%}", "")
    if forecast.finals is not None:
        table.add_row("finals, at most", *_cost(forecast.finals.cost))
    return table


def _trunks(branches: BranchForecast) -> str:
    return f"{branches.num_trunks} trunk{'' if branches.num_trunks == 1 else 's'}"


def _cost(cost: Cost) -> tuple[str, str, str]:
    told = flops(cost.flops) if cost.flops is not None else count(cost.steps) + " steps"
    return count(cost.tokens), told, duration(cost.wall_seconds)


def _notes(forecast: Forecast) -> list[str | Text]:
    notes: list[str | Text] = []
    if forecast.dropped:
        notes.append(f"The constraints ruled out {counted(forecast.dropped, 'point')}.")
    if forecast.searcher == "model":
        notes.append(
            "model leaves out what cannot win and ends when nothing can: this is the most."
        )
    elif forecast.searcher:
        notes.append(
            f"{forecast.searcher} chooses points by results: random ones stand for them here."
        )
    if forecast.num_taken is not None and forecast.searcher is None:
        others = ", ".join(forecast.differs_there)
        notes.append(
            f"{forecast.num_taken} of {forecast.num_trials} trials are taken from the sweep that "
            "`search.from` names: they have run there just so, and cost nothing."
            + (f" What differs there: {others}." if others else "")
        )
    if (branches := forecast.branches) is not None:
        notes += _branch_notes(branches)
    if (finals := forecast.finals) is not None:
        seeds = ", ".join(map(str, finals.seeds))
        notes.append(
            f"Finals: at most {finals.num_trials} trials more, of the {finals.num_points} best "
            f"points that are tied, with the seeds {seeds}; none where one stands out."
        )
    if forecast.spend is not None:
        notes += _spend_notes(forecast.spend, forecast.whole.wall_seconds)
    if forecast.queue is not None:
        notes.append(_queue_note(forecast.queue, forecast.slots))
    if forecast.no_schedule is not None:
        notes.append(f"Ends are forecast without the schedule: {forecast.no_schedule}.")
    if len(forecast.rungs) > 1 and forecast.orders_of_merit > 1:
        orders = f"all {forecast.orders_of_merit}" if forecast.is_exact else "random"
        notes.append(
            f"Expected: over {orders} orders of merit, each trial keeping its place at every rung."
        )
    if forecast.whole.wall_seconds is None:
        notes.append("No times: the speed of this machine was not measured.")
    else:
        notes.append("Times leave out Ray's start and the writing of checkpoints.")
    if forecast.load is not None:
        told = (
            f"This machine was busy before the speed was measured (load {forecast.load:.1f}): "
            "beside less, the times are shorter."
        )
        notes.append(Text(told, style="yellow"))
    if any(shape.speed and not shape.is_measured for shape in forecast.shapes):
        notes.append("~ not measured: as fast, in FLOP/s, as the measured shape of nearest size.")
    if any(shape.fits is False for shape in forecast.shapes):
        told = "too large: these trials would fail; make the model smaller."
        notes.append(Text(told, style="red"))
    if forecast.thin_validation is not None:
        notes.append(Text(forecast.thin_validation.sentence, style="yellow"))
    return notes


def _queue_note(queue: QueueForecast, slots: int) -> str:
    if queue.others is None:
        return (
            "What other sweeps want of this cluster is not known, since nobody answers there: this "
            "is for the whole of it."
        )
    now = f"Now {counted(queue.others, 'other sweep')} want{'s' if queue.others == 1 else ''} slots"
    if not queue.slots:
        return f"{now} of this cluster, and there are none for this one until they want fewer."
    has = f"{now} of this cluster: beside that, this one has {queue.slots:.2g} of its {slots}"
    if queue.wall_seconds is None or queue.expected_wall_seconds is None:
        return f"{has}."
    return (
        f"{has}, and takes {duration(queue.wall_seconds)}, as expected "
        f"{duration(queue.expected_wall_seconds)}, if it stays so."
    )


def _spend_notes(spend: SpendForecast, wall_seconds: float | None) -> Iterator[str]:
    for what, hours, most in (
        ("CPU", spend.cpu_hours, spend.most_cpu_hours),
        ("GPU", spend.gpu_hours, spend.most_gpu_hours),
    ):
        if most is None:
            continue
        if hours is None:
            yield f"max_spend: it stops itself at {most:g} {what} hours."
        elif hours <= most:
            yield f"max_spend: of {most:g} {what} hours all trials together take {hours:.3g}."
        else:
            yield (
                f"max_spend: all trials together take {hours:.3g} {what} hours; at {most:g} the "
                "sweep stops itself, and can be resumed with more."
            )
    if spend.until is not None:
        left = (datetime.fromisoformat(spend.until) - datetime.now(UTC)).total_seconds()
        yield f"max_spend: it stops itself at {spend.until}, {duration(max(0, left))} from now" + (
            "." if wall_seconds is None else f"; all trials take {duration(wall_seconds)}."
        )


def _branch_notes(branches: BranchForecast) -> Iterator[str]:
    if (forks := branches.num_forks) > 0:
        yield (
            f"{forks} trial{'s fork' if forks > 1 else ' forks'} from {_trunks(branches)}, with "
            f"the losses of runs by themselves: {branches.share:.0%} of their FLOPs, and "
            f"{branches.least_share:.0%} if decays took no step."
        )
    if branches.apart is not None:
        some = "Some trials" if forks else "No trials"
        yield (
            f"{some} share {'no' if forks else 'a'} trunk, which their schedule would allow: "
            f"{branches.apart}."
        )


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
