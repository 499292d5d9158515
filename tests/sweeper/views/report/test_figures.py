"""Figures are Plotly's, and every trial can be found in them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.reading.sweep_data import Evaluation
from sweeper.analysis.summary import SweepData, summarise
from sweeper.analysis.summary.levels import common_level
from sweeper.status import Status
from sweeper.views.report.figures.costs import cost_figure
from sweeper.views.report.figures.figure import Figure, log_ticks
from sweeper.views.report.figures.learning.curves import curves_figure
from sweeper.views.report.figures.learning.points import thinned
from sweeper.views.report.figures.pairs import pair_figure
from sweeper.views.report.figures.parallel import parallel_figure
from sweeper.views.report.figures.response.curves import response_figure
from tests.sweeper.analysis.summary.sweeps import LEARNING_RATE, SIZE, seeded, sweep_of, trial


def sweep() -> SweepData:
    trials = [
        trial("0000", {"learning_rate": 1e-3, "size": "small"}, 3.0, 2.0, 1.0),
        trial("0001", {"learning_rate": 1e-2, "size": "small"}, 3.1, 2.1, 1.1),
        trial("0002", {"learning_rate": 1e-4, "size": "small"}, 3.2, 2.2, 1.2),
        trial("0003", {"learning_rate": 1e-2, "size": "large"}, 4.0, status=Status.STOPPED),
        trial("0004", {"learning_rate": 1e-1, "size": "large"}, 4.0, None, status=Status.DIVERGED),
    ]
    return sweep_of(trials, [LEARNING_RATE, SIZE])


FIGURES: dict[str, Callable[[SweepData], Figure | None]] = {
    "response": lambda s: response_figure(summarise(s), summarise(s).responses[0]),
    "category": lambda s: response_figure(summarise(s), summarise(s).responses[1]),
    "curves": curves_figure,
    "parallel": lambda s: parallel_figure(s, common_level(s, summarise(s).levels)),
    "pair": lambda s: pair_figure(s, summarise(s).pairs[0]),
}


def coloured(value: Any) -> Any:
    """Plotly knows no names of ours."""
    if isinstance(value, str) and value.startswith("@"):
        return "#123456"
    if isinstance(value, list):
        return [coloured(item) for item in value]
    if isinstance(value, dict):
        return {key: coloured(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_that_plotly_takes(name: str) -> None:
    figure = FIGURES[name](sweep())
    assert figure is not None
    go.Figure(coloured({"data": figure["data"], "layout": figure["layout"]}))  # refuses the unknown


def test_what_a_loss_costs_has_a_front_with_the_sizes_at_it() -> None:
    trials = [
        trial("0000", {"size": "small"}, 2.0, num_params=1000),
        trial("0001", {"size": "large"}, 1.0, num_params=9000),
        trial("0002", {"size": "<b>"}, 3.0, num_params=5000),
    ]
    swept = sweep_of(trials, [replace(SIZE, changes_size=True)])
    (front,) = summarise(swept).fronts
    figure = cost_figure(swept, front)
    go.Figure(coloured({"data": figure["data"], "layout": figure["layout"]}))
    others, line, _ = figure["data"]
    assert (others["customdata"], others["hovertext"]) == (["0002"], ["size &lt;b>"])
    assert (line["x"], line["y"], line["text"]) == ([1000, 9000], [2.0, 1.0], ["small", "large"])


def test_a_fork_leaves_its_trunk_at_a_mark() -> None:
    point = {"learning_rate": 1e-3, "size": "small"}
    trials = [
        trial("0001", point, 3.0, 2.0, 1.0, 0.5, max_steps=16),
        trial("0000", point, 3.0, 2.0, 0.9, forked_from="0001", forked_at=9, max_steps=12),
        trial("0002", point, 2.5, forked_from="0001", forked_at=3, max_steps=4),
    ]
    figure = curves_figure(sweep_of(trials, [LEARNING_RATE, SIZE]))
    assert figure is not None
    lines, best, marks = figure["data"][:3]
    assert lines["customdata"] == [*["0001"] * 4, None, *["0000"] * 2, None, "0002", None]
    assert lines["x"] == [4, 8, 12, 16, None, 8, 12, None, 4, None]
    assert best["x"] == [4, 8, 12, 16, None]
    assert (marks["x"], marks["y"]) == ([8], [2.0]), "0002 has no evaluation in common with it"
    assert marks["text"] == ["<b>0000</b> forks from 0001 at step 9"]
    assert figure["axes"]["seconds"]["x"][2] == [8.0]


def test_the_best_of_forks_is_drawn_from_the_beginning() -> None:
    point = {"learning_rate": 1e-3, "size": "small"}
    best = trial("0000", point, 3.0, 2.0, 0.9, forked_from="0001", forked_at=9)
    figure = curves_figure(sweep_of([best], [LEARNING_RATE, SIZE]))
    assert figure is not None
    assert [trace["x"] for trace in figure["data"][:2]] == [[8, 12, None], [4, 8, 12, None]]


@pytest.mark.parametrize("name", FIGURES)
def test_every_trial_is_in_every_figure(name: str) -> None:
    figure = FIGURES[name](sweep())
    assert figure is not None
    found = {
        trial_id
        for trace in figure["data"]
        if trace["type"] == "scatter"
        for trial_id in trace.get("customdata", [])
    }
    assert {"0000", "0001", "0002"} <= found
    assert ("0003" in found) == (name != "parallel"), "it did not get to where they are compared"
    # what diverged has no value to be compared by
    assert ("0004" in found) == (name != "parallel")
    assert figure["data"][-1]["x"] == []  # for the chosen one


def test_curves_have_an_x_for_each_axis_and_gaps_between_trials() -> None:
    figure = curves_figure(sweep())
    assert figure is not None
    assert set(figure["axes"]) == {"step", "tokens", "seconds", "flops"}
    completed = next(i for i, t in enumerate(figure["data"]) if t["name"] == "completed (3)")
    assert figure["axes"]["tokens"]["x"][completed][:4] == [40, 80, 120, None]
    for axis in figure["axes"].values():
        assert [len(x) for x in axis["x"]] == [len(t["y"]) for t in figure["data"][:-1]]


def test_names_cannot_be_read_as_tags() -> None:
    point = {"size": "<b>x</b>"}
    odd = sweep_of([trial("0000", point, 1.0), trial("0001", {"size": "y"}, 1.0)], [SIZE])
    figure = response_figure(summarise(odd), summarise(odd).responses[0])
    assert figure["data"][0]["x"] == ["&lt;b>x&lt;/b>", "y"]


def test_thinned_keeps_the_first_and_the_last() -> None:
    evaluations = [Evaluation(step=step, value=1.0) for step in range(1, 101)]
    kept = [e.step for e in thinned(evaluations, 7)]
    assert (len(kept), kept[0], kept[-1]) == (7, 1, 100)
    assert thinned(evaluations[:5], 7) == evaluations[:5]


def test_what_was_measured_has_its_bar_where_noise_is_as_large_as_the_plot() -> None:
    """There it says the most. What is forecast as unsurely has none, and its text has it."""
    trials = seeded({1e-3: [1.0, 2.0], 1e-2: [2.1, 1.1]})
    stopped = trial("s", {"learning_rate": 1e-1}, 1.5, status=Status.STOPPED)
    summary = summarise(sweep_of([*trials, replace(stopped, forecast=Forecast(1.5, 1.0))]))
    figure = response_figure(summary, summary.responses[0])
    bars = {t["name"]: t["error_y"]["array"] for t in figure["data"] if "error_y" in t}
    assert all(bars["completed trials"])
    assert bars["stopped trials"] == [None]


def test_log_ticks_are_round() -> None:
    assert log_ticks(1e-3, 2e-2) == [0.001, 0.002, 0.005, 0.01, 0.02]


@pytest.mark.parametrize("worst", [9.0, 1e14])
def test_one_point_far_off_does_not_squash_the_other_curves(worst: float) -> None:
    far = trial("0001", {"learning_rate": 1e-2}, worst, status=Status.STOPPED)
    near = [trial(f"{i:04d}", {"learning_rate": i * 1e-4}, 3.0, 2.0, 1.0) for i in (2, 3)]
    figure = curves_figure(sweep_of([*near, far]))
    assert figure is not None
    shown = figure["layout"]["yaxis"].get("range")
    assert shown is None if worst == 9.0 else shown == [pytest.approx(0.92), pytest.approx(3.08)]


def test_a_stopped_curve_goes_on_dotted_to_its_likely_end_on_every_axis() -> None:
    end = Forecast(mean=1.5, deviation=0.1)
    trials = [
        trial("0000", {"learning_rate": 1e-3}, 3.0, 2.0, 1.0),
        trial("0001", {"learning_rate": 1e-2}, 4.0, status=Status.STOPPED, forecast=end),
    ]
    figure = curves_figure(sweep_of(trials))
    assert figure is not None
    (likely,) = [trace for trace in figure["data"] if "likely" in trace["name"]]
    assert (likely["x"], likely["y"]) == ([4, 16, None], [4.0, 1.5, None])
    assert likely["error_y"]["array"] == [None, 0.165, None]
    assert likely["text"][1] == "<b>0001</b> likely end 1.50 ± 0.10"
    index = figure["data"].index(likely)
    on_axes = {name: axis["x"][index] for name, axis in figure["axes"].items()}
    assert on_axes["tokens"] == [40, 160, None]
    assert on_axes["seconds"] == [4, 16, None]
    assert "likely" not in str(curves_figure(sweep_of(trials[:1])))
