"""What `plan` prints."""

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from sweeper.plan.cost.forecast import Taken, forecast
from sweeper.plan.cost.shapes import Machine, Speed, shapes
from sweeper.views.terminal.forecast_tables import print_forecast

SIZES = {
    "size": {
        "grid": {"small": {"d_model": 16}, "large": {"d_model": 64}},
    },
    "learning_rate": {"grid": [1e-3, 1e-2]},
}


def printed(plan: Any, machine: Machine, speed: Speed | None) -> str:
    console = Console(file=io.StringIO(), width=80)
    speeds = {} if speed is None else dict.fromkeys(shapes(plan), speed)
    print_forecast(console, forecast(plan, machine, speeds))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_printed(tiny_plan: Any) -> None:
    speed = Speed(tokens_per_second=64, evaluation_seconds=1.5)
    text = printed(tiny_plan(space=SIZES), Machine(slots=2, free_memory=2**40), speed)
    rows = [line.split() for line in text.splitlines()]
    assert "tiny: 4 trials, 2 at a time, scheduler asha, stop" in text
    assert "over all 24 orders of merit" in text
    assert ["4", "4.0"] in rows
    # 16 steps of a second and four evaluations, twice in a row
    assert next(row for row in rows if row[:1] == ["every"])[-1] == "44s"
    assert "too large" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_sizes_stand_from_the_smallest_up(tiny_plan: Any) -> None:
    space = {"size": {"grid": {f"w{width}": {"d_model": width} for width in (48, 16, 64, 32)}}}
    text = printed(tiny_plan(space=space), Machine(slots=1, free_memory=None), None)
    shown = [line.split()[1] for line in text.splitlines() if line.startswith("size ")]
    assert shown == ["w16", "w32", "w48", "w64"]


def test_what_the_constraints_ruled_out_is_told(tiny_plan: Any) -> None:
    machine = Machine(slots=1, free_memory=None)
    assert "ruled out" not in printed(tiny_plan(), machine, None)
    assert "ruled out 3 points" in printed(replace(tiny_plan(), dropped=3), machine, None)


def test_what_is_not_known_is_not_made_up(tiny_plan: Any) -> None:
    plan = tiny_plan(space=SIZES, scheduler={"type": "fifo"})
    text = printed(plan, Machine(slots=1, free_memory=1), None)
    assert "No times" in text
    assert "these trials would fail" in text
    assert "Expected" not in text
    assert [line.split()[-2:] for line in text.splitlines() if "size " in line] == [["-", "-"]] * 2


def test_what_trunks_spare_is_told(tiny_plan: Any) -> None:
    def told(**train: Any) -> str:
        plan = tiny_plan(
            train={"schedule": "wsd"} | train,
            space={"max_steps": {"grid": [20, 40, 60, 80]}},
            scheduler={"type": "fifo"},
        )
        return " ".join(printed(plan, Machine(slots=1, free_memory=None), None).split())

    assert "every trial by itself 12.8k" in told()
    assert "forked from 1 trunk 6.7k" in told()
    assert "saved 48%" in told()
    assert "3 trials fork from 1 trunk, with the losses of runs by themselves: 52%" in told()
    assert "40% if decays took no step" in told()
    assert "orders of merit" not in told(), "nothing is stopped"
    apart = told(ema_fraction=0.1)
    assert "No trials share a trunk, which their schedule would allow: they differ in" in apart
    assert "ema_steps before their decay" in apart
    assert "by itself" not in apart
    assert "trunk" not in told(schedule="cosine")


def test_a_search_that_learns_is_told_by_its_stand_ins(tiny_plan: Any) -> None:
    search = {"algorithm": "tpe", "num_trials": 5}
    machine = Machine(slots=2, free_memory=2**34)
    told = printed(tiny_plan(space=SIZES, search=search), machine, None)
    assert "tiny: 5 trials, 2 at a time" in told
    assert "tpe chooses points by results: random ones stand for them here." in told
    drawn = tiny_plan(space=SIZES, search={**search, "algorithm": "sobol"})
    assert "stand for them" not in printed(drawn, machine, None)


def test_it_says_where_ends_are_forecast_without_the_schedule(tiny_plan: Any) -> None:
    forecasts = {"type": "asha", "grace_steps": 4, "compare": "forecast"}
    upwards = {"metric": "val_loss", "mode": "max"}
    machine = Machine(slots=1, free_memory=None)
    text = " ".join(
        printed(tiny_plan(scheduler=forecasts, objective=upwards), machine, None).split()
    )
    assert "scheduler asha, stop, by forecasts once 6 have ended" in text
    assert "without the schedule: objective.mode is max" in text
    assert "without the schedule" not in printed(tiny_plan(scheduler=forecasts), machine, None)
    by_loss = tiny_plan(scheduler={"type": "asha", "grace_steps": 4}, objective=upwards)
    assert "without the schedule" not in printed(by_loss, machine, None)


def test_finals_are_counted_at_most(tiny_plan: Any) -> None:
    """Of two slots each round of three takes two turns, of 16 seconds and four evaluations."""
    speed = Speed(tokens_per_second=64, evaluation_seconds=1.5)
    machine = Machine(slots=2, free_memory=2**40)
    text = printed(tiny_plan(space=SIZES, finals={"seeds": 2}), machine, speed)
    assert "Finals: at most 6 trials more, of the 3 best points that are tied, with" in text
    assert "the seeds 1, 2;" in " ".join(text.split())
    (row,) = [line.split() for line in text.splitlines() if line.startswith("finals, at most")]
    assert row[-1] == "1m28s"
    few = printed(tiny_plan(space=SIZES, seeds=[3, 4], finals={"top": 9}), machine, speed)
    assert "at most 12 trials more, of the 4 best points" in few
    assert "the seeds 0, 1, 2;" in " ".join(few.split())


def test_what_another_sweep_spares_is_told_and_what_keeps_it_from_more(tiny_plan: Any) -> None:
    plan = tiny_plan(space=SIZES, scheduler={"type": "fifo"})
    for spared, different in ((1, ()), (0, ("data", "max_steps"))):
        taken = Taken(trials=frozenset(["0002"][:spared]), different=different)
        console = Console(file=io.StringIO(), width=80)
        machine = Machine(slots=2, free_memory=None)
        print_forecast(console, forecast(plan, machine, {}, taken))
        text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
        assert f"{spared} of 4 trials are taken from the sweep that `search.from` names" in text
        assert ("What differs there: data, max_steps." in text) == bool(different)
