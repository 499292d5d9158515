"""The figures of the report answer to its switches and its filter, in a real browser."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.programs import needs_chromium
from tests.sweeper.views.report.conftest import drawn, on_a_desktop

pytestmark = [needs_chromium, on_a_desktop]


def shown_in(page: Page, figure: str) -> set[str]:
    """The trials of which a figure shows a point."""
    found: list[str] = page.evaluate(
        """key => document.getElementById(key).data.filter(t => t.meta === "trials")
            .flatMap(t => t.customdata).filter(name => name !== null)""",
        figure,
    )
    return set(found)


def lines_of(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        """() => document.getElementById("curves").data
            .filter(t => t.meta === "trials" && t.visible !== false)
            .map(t => ({name: t.name, colour: t.line.color, y: t.y}))"""
    )
    return found


def test_colour_says_the_setting_that_is_chosen(opened: Page) -> None:
    page = drawn(opened, "curves")
    assert {"small", "large", "huge|one more"} <= {line["name"] for line in lines_of(page)}
    page.select_option('select[name="colour"]', "learning_rate")
    names = {line["name"]: line["colour"] for line in lines_of(page)}
    assert {"0.0001", "0.001", "0.01"} <= names.keys()
    assert len(set(names.values())) == len(names), "each has a colour of its own"
    labels = page.evaluate("document.getElementById('curves').layout.annotations.map(a => a.text)")
    assert {"0.0001", "0.001", "0.01"} <= set(labels), "named at the line's end"


def test_other_measures_and_smoothing(opened: Page) -> None:
    page = drawn(opened, "curves")
    raw = [line["y"] for line in lines_of(page)]
    page.select_option('select[name="smoothing"]', "0.8")
    smooth = [line["y"] for line in lines_of(page)]
    assert smooth != raw
    assert [y[0] for y in smooth] == [y[0] for y in raw], "without the bias of a start at 0"
    page.select_option('select[name="smoothing"]', "0")
    page.select_option('select[name="measure"]', "learning_rate")
    title = "document.getElementById('curves').layout.yaxis.title.text"
    assert page.evaluate(title) == "learning rate"
    assert [line["y"] for line in lines_of(page)] != raw


def test_under_a_filter_the_front_is_that_of_what_is_shown(opened: Page) -> None:
    page = drawn(opened, "cost-parameters")

    def front() -> list[str]:
        names: list[str] = page.evaluate(
            """() => document.getElementById("cost-parameters").data
                .find(({name}) => name === "front").text"""
        )
        return names

    assert front() == ["small"], "as good as the larger ones, and cheaper"
    page.fill("#filter", "size!=small status=completed")
    assert front() == ["large"]
    assert len(shown_in(page, "cost-parameters")) == page.locator("#trial-table tbody tr").count()
    page.fill("#filter", "status=none")
    assert front() == []
    page.fill("#filter", "")
    assert front() == ["small"]


def test_trials_that_diverged_are_crosses_at_the_top(opened: Page) -> None:
    page = drawn(opened, "response-0")
    crosses = page.evaluate(
        """() => { const e = document.getElementById("response-0");
            const t = e.data.find(t => t.name.endsWith("diverged"));
            return {x: t.x, y: t.y, names: t.customdata, range: e.layout.yaxis.range}; }"""
    )
    assert crosses["x"] == [0.9] * 3
    low, high = crosses["range"]
    assert all(high - 0.2 * (high - low) < y < high for y in crosses["y"])
    assert len(set(crosses["names"])) == 3


def test_a_condition_filters_the_table_and_all_figures(opened: Page) -> None:
    with_all, with_some = ("curves", "response-0", "timeline"), ("parallel", "cost-parameters")
    page = drawn(opened, *with_all, *with_some)
    page.fill("#filter", "learning_rate<=1e-3 size=small|large")
    rows = page.locator("#trial-table tbody tr")
    assert rows.count() == 4
    names = {row.get_attribute("data-trial") for row in rows.all()}
    for figure in with_all:
        assert shown_in(page, figure) == names, figure
    for figure in with_some:
        some = shown_in(page, figure)
        assert some and some <= names, f"{figure}: only those that got to where they are compared"
    page.fill("#filter", "status = diverged")
    assert rows.count() == 3
    page.fill("#filter", "d_model >= 32 loss < 100")
    assert rows.count() == 6
    page.fill("#filter", "")
    assert rows.count() == 12
    assert len(shown_in(page, "response-0")) == 12


def test_a_condition_that_cannot_be_read_is_said(opened: Page) -> None:
    opened.fill("#filter", "los<1.7 loss<x 0.001")
    said = opened.locator("#shown").inner_text()
    assert "los: no column or setting is called so" in said
    assert "loss<x: x is no number" in said
    assert opened.locator("#filter").get_attribute("aria-invalid") == "true"
    assert opened.locator("#trial-table tbody tr").count() == 3  # by the word


def test_a_box_over_an_axis_becomes_a_condition(opened: Page) -> None:
    page = drawn(opened, "parallel")
    page.fill("#filter", "size=small|large")
    page.evaluate(
        """() => document.getElementById("parallel").emit("plotly_selected",
            {range: {x: [-0.2, 0.2], y: [-0.05, 0.4]}})"""
    )
    kept, own = page.input_value("#filter").split()
    assert kept == "size=small|large"
    assert own.startswith("learning_rate<=0.00")
    assert page.locator("#trial-table tbody tr").count() == 4


def test_names_with_spaces_and_bars_stand_in_quotes(opened: Page) -> None:
    page = drawn(opened, "parallel")
    page.evaluate(
        """() => document.getElementById("parallel").emit("plotly_selected",
            {range: {x: [0.8, 1.2], y: [0.4, 1.1]}})"""
    )
    assert page.input_value("#filter") == 'size=large|"huge|one more"'
    rows = page.locator("#trial-table tbody tr")
    assert rows.count() == 8
    page.fill("#filter", 'size != "huge|one more"|small "0.001')
    assert rows.count() == 1


def test_a_box_over_the_objective_is_about_the_loss_that_its_axis_shows(opened: Page) -> None:
    page = drawn(opened, "parallel")
    before = shown_in(page, "parallel")
    page.evaluate(
        """() => document.getElementById("parallel").emit("plotly_selected",
            {range: {x: [1.8, 2.2], y: [-0.05, 0.5]}})"""
    )
    assert page.input_value("#filter").startswith("loss@4<=")
    better = shown_in(page, "parallel")
    rows = page.locator("#trial-table tbody tr").all()
    assert {row.get_attribute("data-trial") for row in rows} == better
    assert 0 < len(better) < len(before)
    ends = page.evaluate(
        """() => document.getElementById("parallel").data.filter(t => t.meta === "trials")
            .flatMap(t => t.y.filter((_, place) => place % 4 === 2))"""
    )
    assert all(end <= 0.5 for end in ends)


def test_the_axes_take_another_order(opened: Page) -> None:
    page = drawn(opened, "parallel")
    titles = "document.getElementById('parallel').layout.xaxis.ticktext"
    first, second, *_ = page.evaluate(titles)
    ys = "document.getElementById('parallel').data[0].y.slice(0, 2)"
    before = page.evaluate(ys)
    page.get_by_label("learning_rate to the right").click()
    assert page.evaluate(titles)[:2] == [second, first]
    assert page.evaluate(ys) == before[::-1]
    assert page.locator("#axes li").first.inner_text().strip("◂▸ \n") == "size"


def test_the_table_can_be_had_as_csv_and_a_figure_as_png(opened: Page) -> None:
    page = drawn(opened, "curves")
    page.fill("#filter", 'size="huge|one more"')
    with page.expect_download() as download:
        page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["size"] for row in rows] == ["huge|one more"] * 4
    assert {float(row["learning_rate"]) for row in rows} == {1e-4, 1e-3, 1e-2, 0.9}
    with page.expect_download() as download:
        page.get_by_label("PNG: Learning curves").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_newer_page_takes_its_place_and_what_was_chosen_stays(opened: Page, report: Path) -> None:
    page = drawn(opened, "curves")
    page.locator("#more-remarks summary").click()
    page.fill("#filter", "size=small")
    page.select_option('select[name="colour"]', "learning_rate")
    zoom = {"xaxis.range": [4, 9], "yaxis.range": [0, 0.5]}
    page.evaluate("zoom => { Plotly.relayout('curves', zoom); }", zoom)
    page.locator("#trial-table tbody .chip").first.click()
    newer = report.read_text().replace("<h1>", "<h1>Newer: ", 1)
    newer = re.sub(r'("range":\[)-?[\d.]+', r"\g<1>-7", newer)
    page.evaluate("html => report.refresh(html)", newer)
    assert page.locator("h1").inner_text().startswith("Newer: ")
    assert page.locator("#trial-table tbody tr").count() == 4
    assert page.input_value('select[name="colour"]') == "learning_rate"
    shown = "document.getElementById('curves').layout"
    assert page.evaluate(f"{shown}.xaxis.range") == [4, 9]
    assert page.evaluate(f"{shown}.yaxis.range") == [0, 0.5]
    assert page.locator("#details").is_visible()
    unfolded = page.locator("details[open]").evaluate_all("all => all.map(e => e.id)")
    assert unfolded == ["more-remarks"], "as they were"
    assert page.locator("#trial-table tr.selected").count() == 1
