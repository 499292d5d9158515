"""The plane of two settings of a random search: every trial, and the surface of a known truth."""

import math
import random
from collections.abc import Callable

import plotly.graph_objects as go

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.reading.sweep_data import Parameter, SweepData
from sweeper.analysis.summary import summarise
from sweeper.status import Status
from sweeper.views.report.figures.planes import plane_figure, plane_notes
from tests.sweeper.analysis.summary.sweeps import SIZE, sweep_of, trial
from tests.sweeper.views.report.test_figures import coloured

RATE = Parameter(name="learning_rate", scale="log", low=1e-4, high=1e-1)
DECAY = Parameter(name="weight_decay", scale="linear", low=0.0, high=0.5)
BEST_RATE, BEST_DECAY = 4e-3, 0.2


def loss(rate: float, decay: float) -> float:
    return 2 + 0.3 * math.log(rate / BEST_RATE) ** 2 + 4 * (decay - BEST_DECAY) ** 2


def drawn(number: int, value: Callable[[float, float], float] = loss, **more: str) -> SweepData:
    dice = random.Random(0)
    points = [(10 ** dice.uniform(-4, -1), dice.uniform(0, 0.5)) for _ in range(number)]
    ordered = sorted(points, key=lambda point: value(*point))
    trials = [
        trial(f"{index:04d}", {"learning_rate": rate, "weight_decay": decay}, value(rate, decay))
        for index, (rate, decay) in enumerate(ordered)
    ]
    return sweep_of(trials, [RATE, DECAY], **more)


def test_the_surface_has_its_best_where_the_truth_has() -> None:
    (plane,) = summarise(drawn(30)).planes
    assert plane is not None
    low = min(value for row in plane.values for value in row)
    row, column = next(
        (row, column)
        for row, values in enumerate(plane.values)
        for column, value in enumerate(values)
        if value == low
    )
    assert abs(math.log(plane.xs[column] / BEST_RATE)) < 0.6  # two nodes
    assert abs(plane.ys[row] - BEST_DECAY) < 0.1
    assert abs(low - 2) < 0.05


def test_of_a_maximum_the_surface_is_the_other_way_up() -> None:
    (least,) = summarise(drawn(12)).planes
    (most,) = summarise(drawn(12, lambda *at: -loss(*at), mode="max")).planes
    assert least is not None and most is not None
    highest = max(value for row in most.values for value in row)
    assert abs(highest + min(value for row in least.values for value in row)) < 1e-6


def test_every_trial_stands_at_its_own_place_whatever_became_of_it() -> None:
    sweep = drawn(6)
    rest = [
        trial("1000", {"learning_rate": 2e-2, "weight_decay": 0.4}, 3.0, status=Status.STOPPED),
        trial("1001", {"learning_rate": 9e-2, "weight_decay": 0.1}, None, status=Status.DIVERGED),
        trial(
            "1002",
            {"learning_rate": 1e-2, "weight_decay": 0.1},
            3.0,
            status=Status.STOPPED,
            forecast=Forecast(mean=2.5, deviation=0.1),
        ),
    ]
    sweep = sweep_of([*sweep.trials, *rest], [RATE, DECAY])
    summary = summarise(sweep)
    figure = plane_figure(sweep, summary.pairs[0], summary.planes[0])
    go.Figure(coloured(figure))  # refuses the unknown
    contours, *marks, dots, chosen = figure["data"]
    assert contours["type"] == "contour"
    assert dots["customdata"] == [*(f"{index:04d}" for index in range(6)), "1002"]
    assert dots["marker"]["color"][-1] == 2.5, "where it is forecast to end"
    assert {m["name"]: m["customdata"] for m in marks} == {
        "stopped": ["1000"],
        "diverged": ["1001"],
    }
    assert chosen["x"] == []
    assert figure["layout"]["xaxis"]["type"] == "log"


def test_a_forecast_that_knows_nothing_hides_neither_the_surface_nor_the_colours() -> None:
    sweep = drawn(12)
    wild = trial(
        "1000",
        {"learning_rate": 1e-2, "weight_decay": 0.3},
        5.0,
        status=Status.STOPPED,
        forecast=Forecast(mean=-250.0, deviation=400.0),
    )
    with_it = sweep_of([*sweep.trials, wild], [RATE, DECAY])
    summary = summarise(with_it)
    assert summary.planes == summarise(sweep).planes
    _, marks, dots, _ = plane_figure(with_it, summary.pairs[0], summary.planes[0])["data"]
    assert (marks["name"], marks["customdata"]) == ("stopped", ["1000"])
    assert dots["marker"]["cmin"] > 1.9


def test_names_have_no_surface_and_few_trials_none_either() -> None:
    trials = [
        trial(
            f"{i:04d}",
            {"learning_rate": 1e-3 * (i + 1), "size": ("small", "large")[i % 2]},
            3.0 + i,
        )
        for i in range(8)
    ]
    sweep = sweep_of(trials, [RATE, SIZE])
    summary = summarise(sweep)
    assert summary.pairs[0].is_drawn
    assert summary.planes == (None,)
    figure = plane_figure(sweep, summary.pairs[0], None)
    assert figure["data"][0]["y"][:2] == ["small", "large"]
    assert len(plane_notes(sweep, None)) == 1
    assert summarise(drawn(3)).planes == (None,)
