"""What a plan would have of a cluster on which others are."""

import io
from typing import Any

import pytest
from rich.console import Console

from sweeper.plan.cost.forecast import Forecast
from sweeper.plan.cost.preview import preview
from sweeper.plan.cost.shapes import Speed
from sweeper.plan.placement import Node, Share
from sweeper.runtime.sharing.fairness import Claim
from sweeper.runtime.sharing.queueing import part_beside
from sweeper.views.terminal.forecast_tables import print_forecast

NODES = [Node(4, 0)]


@pytest.fixture
def beside(write_space: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Eight equal trials on a cluster of four CPUs, beside these claims."""
    speed = Speed(tokens_per_second=64, evaluation_seconds=1.5)
    measured = "sweeper.plan.cost.preview.measure_speeds"
    monkeypatch.setattr(measured, lambda shapes, *_, **named: dict.fromkeys(shapes, speed))
    rates = {"learning_rate": {"grid": [1e-3 * number for number in range(1, 9)]}}
    space = write_space(
        space=rates, scheduler={"type": "fifo"}, resources={"cpu": 1}, max_concurrent=4
    )
    return lambda claims: preview(
        space, nodes=lambda: NODES, part=lambda plan, at: part_beside(claims, NODES, plan, at)
    )


def other(**changes: Any) -> Claim:
    return Claim(**{"sweep": "a", "share": Share(1, 0), "wants": 99, "holds": 4, **changes})


def shown(forecast: Forecast) -> str:
    screen = io.StringIO()
    print_forecast(Console(file=screen, width=200), forecast)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("claims", "slots"),
    [
        ([other()], 2.0),
        ([other(weight=3.0)], 1.0),
        ([other(wants=1)], 3.0),
        ([other(), other(sweep="b", weight=2.0)], 1.0),
        ([other(weight=7.0)], 0.5),
        ([other(priority=1)], 0.4),  # a tenth is kept
    ],
)
def test_a_plan_has_its_share_of_what_others_want_and_takes_as_much_longer(
    beside: Any, claims: list[Claim], slots: float
) -> None:
    forecast = beside(claims)
    assert forecast.slots == 4
    assert forecast.queue.slots == pytest.approx(slots)
    rounds = {3: 3}.get(slots, 8 / slots)  # eight on three go in three rounds
    alone = forecast.whole.wall_seconds
    assert forecast.queue.wall_seconds == pytest.approx(alone / 2 * rounds)
    assert f"this one has {slots:.2g} of its 4" in shown(forecast)


def test_an_empty_cluster_and_one_whose_sweeps_want_nothing_are_no_queue(beside: Any) -> None:
    for claims in ([], [other(wants=0, holds=0)]):
        forecast = beside(claims)
        assert forecast.queue is None
        assert "other sweep" not in shown(forecast)


def test_where_nobody_says_what_others_want_that_is_told(beside: Any) -> None:
    assert "other sweeps want of this cluster is not known" in shown(beside(None))
