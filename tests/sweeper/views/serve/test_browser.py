"""A sweep that runs, in a real browser: its curve grows, and the buttons act."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from sweeper.status import ExitCode, Status
from tests.programs import CHROMIUM, needs_chromium
from tests.sweeper.in_process import drive, opened
from tests.sweeper.runtime.ray_tune.sessions import session_of
from tests.sweeper.views.report.conftest import FLAGS
from tests.sweeper.views.serve.conftest import Served
from tests.sweeper.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow]
SECTIONS = {
    "space": {"learning_rate": {"grid": [1e-4, 1e-3]}},
    "scheduler": {"type": "fifo"},
    "train": {"eval_every_steps": 4, "max_steps": 100_000},  # it never comes so far
    "resources": {"cpu": 1},
}
POINTS = """() => { const e = document.getElementById("curves");
    return e && e.data ? e.data.flatMap(t => t.customdata ? t.x : []).length : 0; }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Whatever its console says, and whatever it asks of others, is an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)  # ms: Ray takes minutes to start on a busy machine
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: said.append(r.url) if "//127.0.0.1:" not in r.url else None)
    yield page
    context.close()
    assert [text for text in said if not text.startswith(("data:", "blob:"))] == []


MARKS = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>'
NOT_MARKED = "() => !window.taken && !document.querySelector('[onerror]')"


def test_what_others_have_written_into_a_bucket_is_text_in_every_page(
    served_bucket: Served,
    page: Page,
    tiny_plan: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sweep's name, its labels, its note, who ran it on what, and why a trial has failed."""
    sizes = {f"{MARKS}[b]": {"d_model": 16}, "</b>": {"d_model": 32}}
    plan = tiny_plan(space={"size": {"grid": sizes}}, scheduler={"type": "fifo"})
    monkeypatch.setattr("socket.gethostname", lambda: MARKS)
    folder = create_run_folder(served_bucket.runs, plan.spec, None, "space.yaml")
    with folder.locked(), opened(folder, plan) as sweep:
        for trial in (sweep.next_trial(), sweep.next_trial()):
            assert trial is not None
            sweep.start(trial.trial_id)
            sweep.end(trial.trial_id, error=f"Error: {MARKS}\n  {MARKS}")
        folder.write_note(MARKS)
        sweep.close("failed")
    bucket = tmp_path / "bucket"
    shutil.copytree(bucket / "tiny", bucket / MARKS.replace("/", ""))

    page.goto(served_bucket.address)
    page.wait_for_function("document.querySelectorAll('#sweeps a').length === 2")
    assert "onerror" in page.inner_text("#sweeps")
    assert page.evaluate(NOT_MARKED)
    for number in range(2):
        page.goto(served_bucket.address)
        page.locator("#sweeps a").nth(number).click()
        report = page.frame_locator("#report")
        report.locator("header #note").wait_for()
        assert report.locator("header #note").inner_text() == MARKS
        assert report.locator("body").inner_text().count("onerror") > 3
        assert report.locator("body").evaluate(NOT_MARKED)
        assert page.evaluate(NOT_MARKED)


def points(page: Page) -> int:
    """On the learning curves of the report that is shown; 0 while it is on its way."""
    with contextlib.suppress(Error):
        shown = page.query_selector("#report")
        frame = shown and shown.content_frame()
        if frame is not None and frame.query_selector("#curves") is not None:
            frame.evaluate("document.getElementById('curves').scrollIntoView()")
            number: int = frame.evaluate(POINTS)
            return number
    return 0


def test_the_curve_grows_and_stop_stops(
    served: Served, page: Page, write_space: Any, tmp_path: Path
) -> None:
    folder = RunFolder(served.runs / "tiny")
    driver = session_of("SlowTrainer", "run", write_space(**SECTIONS), served.runs)
    page.goto(served.address)
    page.wait_for_selector("#sweeps a")
    assert re.search(r"as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", page.inner_text("#as-of"))
    page.click("#sweeps a")
    page.wait_for_function("document.getElementById('state').textContent === 'running'")
    assert page.locator("[data-action=resume]").is_hidden()

    wait_until(driver, lambda: points(page) > 0)
    first = max(1, points(page))
    shown = page.frame_locator("#report")
    shown.locator("#filter").fill("0.001")
    shown.locator("select[name=colour]").select_option("status")
    zoomed = "Plotly.relayout('curves', {'yaxis.range': [0, 9]})"
    shown.locator("#curves").evaluate(f"() => {{ {zoomed}; }}")
    shown.locator("#filter").focus()
    wait_until(driver, lambda: points(page) > first)
    assert shown.locator("#filter").input_value() == "0.001", "what was typed stays"
    assert shown.locator("select[name=colour]").input_value() == "status"
    assert shown.locator("#curves").evaluate("e => e.layout.yaxis.range") == [0, 9]
    assert shown.locator("#filter").evaluate("e => e === e.ownerDocument.activeElement")

    page.click("#write-note")
    page.fill("#note", "<b>the first</b>")
    page.click("#note-form button")
    shown.locator("header #note").wait_for()
    assert shown.locator("header #note").inner_text() == "<b>the first</b>"

    page.on("dialog", lambda dialog: dialog.accept())
    page.fill("form[data-action='stop trial'] input", "0000")
    page.click("form[data-action='stop trial'] button")
    wait_until(driver, lambda: read_state(folder).trials["0000"].status is Status.STOPPED)
    page.locator("#jobs summary", has_text="stop").filter(has_text="done").wait_for()

    page.click("button[data-action=stop]")
    assert driver.wait() == ExitCode.INTERRUPTED
    page.wait_for_function("document.getElementById('state').textContent === 'interrupted'")
    page.locator("[data-action=resume]").wait_for()
    page.locator("#jobs pre", has_text="has stopped: 1 of 2 trials have ended").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_that_nobody_looks_at_needs_no_connection(served: Served, page: Page) -> None:
    """A browser has six of them for a server."""
    page.goto(served.address)
    page.wait_for_function("document.getElementById('as-of').textContent.startsWith('as of')")
    hidden = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    turned = "document.dispatchEvent(new Event('visibilitychange'))"
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        page.evaluate(f"{hidden % 'true'}; {turned}")
    with page.expect_request("**/events"):
        page.evaluate(f"{hidden % 'false'}; {turned}")


def test_folders_with_any_name_and_without_a_journal_have_their_pages(
    served: Served, page: Page, tiny_plan: Any
) -> None:
    plan = tiny_plan()
    odd = create_run_folder(served.runs, plan.spec, "odd", "space.yaml")
    drive(odd, plan)
    os.rename(odd.path, os.fsencode(served.runs) + b"/\xff\xe9 %41")
    table = create_run_folder(served.runs, plan.spec, "table", "space.yaml")
    write_tables(drive(table, plan).state, table)
    table.journal.unlink()
    page.goto(served.address)
    for name, state in ((r"\xff\xe9 %41", "finished"), ("table", "a table")):
        row = page.locator("#sweeps tr", has_text=name)
        row.wait_for()
        assert row.locator("td").nth(1).inner_text() == state
        row.locator("a").click()
        page.frame_locator("#report").locator("#trial-table tbody tr").nth(3).wait_for()
        page.go_back()


def test_a_report_that_fails_is_asked_for_again_and_one_that_cannot_be_taken_in_is_loaded(
    served: Served, browser: Browser, tiny_plan: Any
) -> None:
    plan = tiny_plan()
    folder = create_run_folder(served.runs, plan.spec, "tiny", "space.yaml")
    drive(folder, plan)
    page = browser.new_page()
    reports = "**/report?edition=*"
    page.route(
        reports, lambda route: route.fulfill(body="damaged", content_type="text/plain"), times=1
    )
    page.goto(f"{served.address}sweeps/tiny/")
    shown = page.frame_locator("#report")
    shown.locator("#trial-table tbody tr").nth(3).wait_for()
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/report?" in request.url else None
    )
    broken = (
        "e => { e.ownerDocument.defaultView.report.refresh = () => { throw new Error('torn'); }; }"
    )
    shown.locator("body").evaluate(broken)
    with page.expect_event("console", lambda message: "torn" in message.text):
        folder.write_note("a newer one")
    shown.locator("header #note").wait_for()
    assert len(asked) == 2, "taken in, and then loaded"
    page.close()


def test_a_wrong_token_shows_nothing(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    with pytest.raises(Error, match="ERR_HTTP_RESPONSE_CODE_FAILURE"):  # an error without a page
        page.goto(served.address.replace(served.token, "x" * len(served.token)))
    page.close()
