"""The README's picture of the report, made from a real sweep, to docs/pictures/report.png:

python docs/report_picture.py runs/lr

It needs playwright and Debian's chromium.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from sweeper.report import write_report
from sweeper.run_folder import RunFolder

PICTURE = Path(__file__).parent / "pictures" / "report.png"
WIDTH, HEIGHT = 1280, 1240


def main(run: Path) -> None:
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = write_report(RunFolder(run), Path(folder)).path
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", offline=True
        )
        page.goto(report.as_uri())
        page.wait_for_selector("[data-figure] .main-svg")
        page.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
