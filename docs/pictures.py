"""Pictures of the documentation, each made from a real sweep, written to docs/pictures/:

python docs/pictures.py terminal runs/lr
python docs/pictures.py report runs/lr        (with playwright and Debian's chromium)
python docs/pictures.py report runs/transfer --section larger
python docs/pictures.py report runs/transfer --section costs
"""

import argparse
import io
import re
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from sweeper.analysis.time_left import TimeLeftEstimator
from sweeper.plan.plan import plan_again
from sweeper.record.journal import read_journal
from sweeper.record.replay import replay_event
from sweeper.record.run_folder import RunFolder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from sweeper.views.terminal.live_view import live_view

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 100
REPORT_SIZE = {"width": 1280, "height": 1240}


def terminal(folder: RunFolder, at: float) -> Path:
    """What `run` showed when this share of the sweep's time had passed."""
    spec, source = load_spec(folder.spec)
    events = list(read_journal(folder.journal))
    times = [event.time for event in events]
    now = times[0] + at * (times[-1] - times[0]) + timedelta(milliseconds=1)
    state = SweepState(spec)
    for number, (event, time) in enumerate(zip(events, times, strict=True), start=1):
        if time <= now:
            replay_event(state, event, folder, number)
    plan = plan_again(spec, source)
    left = TimeLeftEstimator(plan).time_left(state)
    console = Console(
        record=True,
        width=WIDTH,
        height=40,
        file=io.StringIO(),
        force_terminal=True,
        highlight=False,
    )
    console.print(f"[bold]$ python -m sweeper run search_spaces/{folder.name}.yaml[/]")
    console.print(f"[bold]{folder.name}[/]: {spec.description}")
    console.print(live_view(console, state, len(plan.trials), left, now))
    svg = console.export_svg(title=f"sweeper: {folder.name}")
    path = PICTURES / "terminal.svg"
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))  # no network
    return path


def report(folder: RunFolder, section: str | None) -> Path:
    """The first screen of the report, or one of its sections."""
    from playwright.sync_api import sync_playwright

    path = PICTURES / ("report.png" if section is None else f"report_{section}.png")
    with tempfile.TemporaryDirectory() as out, sync_playwright() as playwright:
        page_path = write_report(folder, Path(out)).path
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(viewport=REPORT_SIZE, color_scheme="light", offline=True)
        page.goto(page_path.as_uri())
        if section is None:
            page.wait_for_function(
                "[...document.querySelectorAll('[data-figure]')].every(e =>"
                " e.getBoundingClientRect().top > innerHeight || e.querySelector('.main-svg'))"
            )
            page.screenshot(path=path)
        else:
            shown = page.locator(f"section#{section}")
            for figure in shown.locator("[data-figure]").all():  # drawn as they come into sight
                figure.scroll_into_view_if_needed()
                figure.locator(".main-svg").first.wait_for()
            shown.screenshot(path=path)
        browser.close()
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    pictures = parser.add_subparsers(dest="picture", required=True)
    of_terminal = pictures.add_parser("terminal", help="the live table")
    of_terminal.add_argument("run", help="a run folder, as runs/lr")
    of_terminal.add_argument("--at", type=float, default=0.75, help="share of its time [0.75]")
    of_report = pictures.add_parser("report", help="the first screen of the report, or a section")
    of_report.add_argument("--section", help="by its name in the page, as larger")
    of_report.add_argument("run", help="a run folder, as runs/lr")
    given = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    folder = find_run_folder(Path("runs"), given.run)
    of = given.picture
    print(terminal(folder, given.at) if of == "terminal" else report(folder, given.section))


if __name__ == "__main__":
    main()
