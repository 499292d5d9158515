"""What the report says of a larger model, and how it draws the laws."""

from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from sweeper.analysis.scaling.predicting import Prediction, Target, predict
from sweeper.analysis.summary import SweepData, summarise
from sweeper.views.report.figures.scaling import loss_figures, rate_figure
from sweeper.views.report.larger_models import larger_model
from sweeper.views.report.page import make_page, render
from tests.sweeper.analysis.scaling.truths import best_rate, sweep_over_sizes
from tests.sweeper.views.report.test_figures import coloured


@pytest.fixture(scope="module")
def sweep() -> SweepData:
    return sweep_over_sizes()


@pytest.fixture(scope="module")
def found(sweep: SweepData) -> Prediction:
    return predict(sweep, Target(scale=10))


def test_the_figures_show_each_size_the_law_and_what_it_predicts(found: Prediction) -> None:
    by_params, by_flops = loss_figures(found)
    for figure in (rate_figure(found), by_params, by_flops):
        *bands, law, measured, predicted, selected = figure["data"]
        assert len(bands) == 4 and selected["name"] == "selected"
        assert len(measured["x"]) == 4 and len(predicted["x"]) == 1
        assert law["x"][-1] == pytest.approx(predicted["x"][0], rel=1e-4)
        assert law["y"][-1] == pytest.approx(predicted["y"][0], rel=1e-3)
        for low, high in zip(bands[0]["y"], bands[1]["y"], strict=True):
            assert low < high
        go.Figure(coloured({"data": figure["data"], "layout": figure["layout"]}))
    assert by_flops["data"][-3]["x"][0] == pytest.approx(6 * 33280 * 204800, rel=1e-4)


def test_the_page_has_a_row_a_size_and_says_what_the_command_says(
    sweep: SweepData, tmp_path: Path
) -> None:
    page = render(make_page(summarise(sweep), "", ()))
    assert 'id="larger"' in page and page.count('data-figure="law-') == 3
    table = page.split('<table id="sizes"')[1].split("</table>")[0]
    assert table.count("<tr>") == 1 + 4
    assert "13.8M parameters, 81.9M tokens" in page
    assert "Take learning_rate" in page and "the law missed your largest size" in page


def test_sweeps_that_cannot_tell_have_no_such_section(sweep: SweepData) -> None:
    assert larger_model(sweep_over_sizes(shapes=["s", "m"])) == (None, "")
    one = tuple(p for p in sweep.parameters if p.name == "learning_rate")
    assert larger_model(replace(sweep, parameters=one)) == (None, "")
    assert 'id="larger"' not in render(
        make_page(summarise(sweep_over_sizes(shapes=["s", "m"])), "", ())
    )


def test_sizes_without_a_law_have_why_in_its_place() -> None:
    steps = {"s": 1440, "m": 3000, "l": 6240, "xl": 6720}
    told = sweep_over_sizes(steps=steps)
    assert larger_model(told)[0] is not None, "ten times the largest lies on their line"

    def broken(params: float, tokens: float) -> float:
        return best_rate(params, tokens) * (5 if params > 1e6 else 1)

    page = render(make_page(summarise(sweep_over_sizes(rate=broken)), "", ()))
    section = page.split('<section id="larger"')[1].split("</section>")[0]
    assert "no learning rate can be told: its law fails your largest size" in section
    assert "Take learning_rate" not in section
