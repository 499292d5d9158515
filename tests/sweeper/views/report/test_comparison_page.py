"""The page of a comparison in a real browser: offline, at desktop and phone width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from sweeper.commands.comparing import compare
from sweeper.record.run_folder import create_run_folder
from tests.programs import needs_chromium
from tests.sweeper.in_process import drive

LIMIT = 3_000_000  # bytes

pytestmark = needs_chromium


@pytest.fixture
def page_file(tmp_path: Path, tiny_plan: Any) -> Path:
    for name, learning_rates in (("<i>narrow", [1e-3, 1e-2]), ("wide", [1e-4, 1e-3, 0.7])):
        plan = tiny_plan(space={"learning_rate": {"grid": learning_rates}})
        folder = create_run_folder(tmp_path / "runs", plan.spec, name, "space.yaml")
        drive(folder, plan)
    path = tmp_path / "made" / "compare.html"
    compare(["<i>narrow", "wide"], runs=tmp_path / "runs", html=path)
    return path


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def test_it_shows_everything_offline_and_fits_a_phone(page_file: Path, browser_page: Page) -> None:
    assert page_file.stat().st_size < LIMIT
    page, problems, asked = browser_page, [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "What came of them",
        "How they learned",
        "Against each setting",
        "Best validation loss by learning_rate",
        "What was different",
    ]
    tables = page.get_by_role("table").evaluate_all(
        "all => all.map(e => e.ariaLabelledByElements[0].innerText)"
    )
    assert tables == [heading for heading in headings if heading[0] in "WB"]
    assert page.locator("figcaption").all_inner_texts() == [
        "Learning curves",
        "Validation loss against learning_rate",
    ]
    assert page.locator("#outcomes thead th").all_inner_texts() == ["", "<i>narrow", "wide"]
    for figure in page.query_selector_all("[data-figure]"):
        figure.evaluate("element => element.scrollIntoView()")
        page.wait_for_function("e => e.querySelector('.main-svg')", arg=figure)
    page.wait_for_function("document.querySelectorAll('.plot .js-line').length > 2")
    page.wait_for_function("document.querySelectorAll('.plot .point').length >= 4")
    assert page.locator(".switch input:checked").get_attribute("value") == "tokens"
    along = page.locator("#curves .xtitle")
    assert along.text_content() == "tokens"
    page.get_by_label("FLOPs").check()
    assert along.text_content() == "FLOPs"
    page.locator("#curves .point").first.dispatch_event("click")  # there is no one trial to show
    assert page.locator("#details").is_hidden()
    assert asked == [page_file.as_uri()], "one file, no network"
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert problems == []
