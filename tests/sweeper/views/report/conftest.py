"""A real browser for the pages, and a report in it."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from sweeper.plan.plan import make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from tests.programs import CHROMIUM
from tests.sweeper.in_process import drive

SPACE = """
name: tiny
data: {data}
train:
  {{num_heads: 2, d_ff: 32, num_layers: 1, vocab_size: 64, context_length: 16, batch_size: 4,
    max_steps: 16, warmup_steps: 2, min_learning_rate: 0, eval_windows: 4, dtype: float32}}
space:
  learning_rate: {{grid: [1.0e-4, 1.0e-3, 1.0e-2, 0.9]}}
  size:
    grid: {{small: {{d_model: 16}}, large: {{d_model: 32}}, "huge|one more": {{d_model: 64}}}}
scheduler: {{type: asha, grace_steps: 4}}
"""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, tokens_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    space = folder / "space.yaml"
    space.write_text(SPACE.format(data=tokens_folder))
    spec, source = load_spec(space)
    plan = make_plan(spec, tokens_folder, source)
    run = create_run_folder(folder / "runs", plan.spec, None, "space.yaml")
    drive(run, plan)
    return write_report(run).path


Scheme = Literal["light", "dark"]
SCREENS: dict[str, tuple[int, Scheme]] = {"desktop": (1280, "light"), "phone": (390, "dark")}
# Where the screen makes no difference: a report with its figures takes seconds to draw.
on_a_desktop = pytest.mark.parametrize("opened", ["desktop"], indirect=True)


class Screen:
    """In which one test after another opens the report: its scripts stay compiled."""

    def __init__(self, browser: Browser, width: int, scheme: Scheme) -> None:
        self.scheme = scheme
        self.page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self._notice(request.url))

    def _notice(self, url: str) -> None:
        if url.startswith("http"):
            self.said.append(url)

    def open(self, report: Path) -> None:
        self.page.goto("about:blank")  # nothing of what the test before has chosen stays
        self.page.emulate_media(color_scheme=self.scheme)
        self.page.goto(report.as_uri())


@pytest.fixture(scope="module")
def screens(browser: Browser) -> Callable[[str], Screen]:
    return functools.cache(lambda name: Screen(browser, *SCREENS[name]))


@pytest.fixture(params=["desktop", pytest.param("phone", marks=pytest.mark.slow)])
def opened(
    request: pytest.FixtureRequest, screens: Callable[[str], Screen], report: Path
) -> Iterator[Page]:
    """The report as it is opened; whatever the console said is an error."""
    screen = screens(request.param)
    screen.open(report)
    yield screen.page
    said, screen.said = screen.said, []
    assert said == []


@pytest.fixture
def page(opened: Page) -> Page:
    """The report with every figure drawn, which takes seconds."""
    figures: list[str] = opened.locator("[data-figure]").evaluate_all("all => all.map(e => e.id)")
    return drawn(opened, *figures)


def drawn(opened: Page, *figures: str) -> Page:
    """The report with these figures drawn, and what stands near them."""
    for figure in figures:
        opened.locator(f"#{figure}").evaluate("element => element.scrollIntoView()")
        opened.locator(f"#{figure} .main-svg").first.wait_for(state="attached")
    return opened
