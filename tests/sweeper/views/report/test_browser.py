"""The report in a real browser, from its file, without a network."""

import math
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.programs import needs_chromium
from tests.sweeper.views.report.conftest import drawn, on_a_desktop

SECTIONS = [
    "winner",
    "settings",
    "learning",
    "together",
    "stopping",
    "slots",
    "trials",
    "environment",
]

pytestmark = needs_chromium


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"#trial-table tbody td:nth-child({number})").all_inner_texts()


def chosen_points(page: Page) -> dict[str, int]:
    """How many points each figure shows of the chosen trial."""
    counts: dict[str, int] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-figure]")]
            .filter(e => e.data)
            .map(e => [e.id, e.data.at(-1).x.filter(x => x !== null).length]))"""
    )
    return counts


def test_every_section_is_there_and_nothing_sticks_out(page: Page) -> None:
    for section in SECTIONS:
        assert page.locator(f"#{section} h2").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for table in ("size-table", "rungs"):
        fits = "e => e.closest('.scroll').scrollWidth <= e.closest('.scroll').clientWidth"
        assert page.locator(f"#{table}").evaluate(fits), f"{table} is read without scrolling"
    assert page.locator("h1").inner_text()
    assert page.locator("[data-figure] .main-svg").count() >= 5


def test_what_is_not_near_the_screen_is_drawn_later_or_for_paper(
    browser: Browser, report: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 600}, offline=True)
    page.goto(report.as_uri())
    page.locator("[data-figure]").first.scroll_into_view_if_needed()
    ids = "[...document.querySelectorAll('[data-figure]')].filter({}).map(e => e.id)"
    near = ids.format("e => e.getBoundingClientRect().top < innerHeight + 300")  # pixels
    drawn = ids.format("e => e.querySelector('.main-svg')")
    every, first = page.evaluate(ids.format("e => true")), page.evaluate(near)
    assert 0 < len(first) < len(every)
    page.wait_for_function(f"{drawn}.length >= {len(first)}")
    assert page.evaluate(drawn) == first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(drawn) == every
    page.close()


def test_a_figure_that_cannot_be_drawn_keeps_none_of_the_others_from_it(
    browser: Browser, report: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 600}, offline=True)
    page.goto(report.as_uri())
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    *_, broken, last = page.query_selector_all("[data-figure]")
    broken.evaluate("element => { element.dataset.figure = 'none'; }")
    broken.scroll_into_view_if_needed()
    page.wait_for_function("e => e.textContent.includes('could not be drawn')", arg=broken)
    last.scroll_into_view_if_needed()
    page.wait_for_function("e => e.querySelector('.main-svg')", arg=last)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    drawn = len(page.query_selector_all("[data-figure] > .plot-container"))
    assert drawn == len(page.query_selector_all("[data-figure]")) - 1
    assert any("TypeError" in text for text in said)
    page.close()


def test_choosing_a_trial_shows_it_everywhere(page: Page) -> None:
    page.locator('#trial-table tr[data-status="completed"] .chip').first.click()
    assert page.locator("#details").is_visible()
    assert "validation loss" in page.locator("#together").inner_text()
    assert all(chosen_points(page).values()), chosen_points(page)
    assert page.locator("#trial-table tr.selected").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()
    assert not any(chosen_points(page).values())


@on_a_desktop
def test_a_click_in_a_figure_chooses_the_trial(opened: Page) -> None:
    page = drawn(opened, "curves")
    page.evaluate(
        """() => { const e = document.getElementById("curves");
            const t = e.data.findIndex(t => t.customdata);
            e.emit("plotly_click", {points: [{customdata: e.data[t].customdata[0]}]}); }"""
    )
    assert page.locator("#details").is_visible()
    assert chosen_points(page)["curves"] > 0


@on_a_desktop
def test_the_table_sorts_numbers_as_numbers_and_the_missing_last(opened: Page) -> None:
    headings = opened.locator("#trial-table th").all_inner_texts()
    number = next(i for i, text in enumerate(headings, start=1) if text.strip().startswith("loss"))
    for order in ("ascending", "descending"):
        opened.locator(f"#trial-table th:nth-child({number}) button").click()
        shown = [math.nan if text == "-" else float(text) for text in column(opened, number)]
        known = [value for value in shown if not math.isnan(value)]
        assert known == sorted(known, reverse=order == "descending")
        assert len(known) == 9
        assert all(math.isnan(value) for value in shown[9:])  # the diverged


@on_a_desktop
def test_the_table_filters_by_text_and_by_status(opened: Page) -> None:
    opened.fill("#filter", "huge 0.001")
    assert len(column(opened, 1)) == 1
    opened.fill("#filter", "")
    assert len(column(opened, 1)) == 12
    opened.locator('.status-filter[data-status="diverged"]').click()
    assert "diverged" not in {text.strip() for text in column(opened, 2)}
    assert len(column(opened, 1)) == 9


@on_a_desktop
def test_the_curves_can_be_had_along_each_axis(opened: Page) -> None:
    page = drawn(opened, "curves")
    last = "document.getElementById('curves').data[0].x[0]"
    at_step = page.evaluate(last)
    page.locator('.switch input[value="tokens"]').check()
    page.wait_for_function(f"{last} === {at_step} * 4 * 16")
    page.locator('.switch input[value="flops"]').check()
    page.wait_for_function(f"{last} > {at_step} * 1e5")


def test_paper_is_light_and_no_figure_is_wider_than_it(opened: Page) -> None:
    page = drawn(opened, "curves")

    def seen() -> list[object]:
        background = "getComputedStyle(document.body).backgroundColor"
        return page.evaluate(  # type: ignore[no-any-return]
            f"[{background}, document.getElementById('curves').layout.font.color,"
            " document.querySelector('#curves .main-svg').clientWidth]"
        )

    before = seen()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen() == ["rgb(247, 247, 245)", "#1c2126", 680]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert seen() == before


@on_a_desktop
def test_what_is_folded_is_unfolded_on_paper_alone(opened: Page) -> None:
    last = opened.locator("#more-remarks p").last
    assert not last.is_visible()
    opened.emulate_media(media="print")
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert last.is_visible()
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not last.is_visible()
    opened.emulate_media(media="screen")


def test_a_change_of_the_theme_is_followed(opened: Page) -> None:
    page = drawn(opened, "curves")
    ink = "document.getElementById('curves').layout.font.color"
    before = page.evaluate(ink)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if dark else "dark")
    page.wait_for_function(f"{ink} !== '{before}'")


def test_a_phone_shows_the_loss_without_scrolling_sideways(opened: Page) -> None:
    heading = opened.locator("#trial-table th", has_text="loss").first
    box = heading.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= opened.evaluate("innerWidth")


@on_a_desktop
def test_everything_is_reached_by_the_keyboard(opened: Page) -> None:
    opened.locator("#filter").focus()
    reached = []
    for _ in range(12):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.innerText.trim()"))
    assert {"CSV", "trial", "status", "loss"} <= set(reached)
    named = opened.evaluate(
        """() => [...document.querySelectorAll("button, select, input")].filter(e =>
            !(e.ariaLabel || e.innerText.trim() || e.labels?.length)).length"""
    )
    assert named == 0, "each has a name for who cannot see it"


@on_a_desktop
def test_who_hears_the_page_is_told_what_each_thing_is(opened: Page) -> None:
    """By Chromium's own accessibility tree."""
    opened.locator(".main-svg").first.wait_for()
    tree = opened.context.new_cdp_session(opened).send("Accessibility.getFullAXTree")["nodes"]
    nodes = [node for node in tree if not node["ignored"]]
    named = [(n["role"]["value"], n.get("name", {}).get("value", "").strip()) for n in nodes]
    roles = {"button", "link", "searchbox", "combobox", "radio", "img", "image", "table"}
    assert [role for role, name in named if role in roles and not name] == []
    pictures = {name for role, name in named if role in ("img", "image")}
    assert pictures >= set(opened.locator("figcaption").all_inner_texts())
    assert {"banner", "main", "navigation", "columnheader", "rowheader"} <= dict(named).keys()
    levels = [
        of["value"]["value"]
        for node in nodes
        if node["role"]["value"] == "heading"
        for of in node["properties"]
        if of["name"] == "level"
    ]
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
