"""The report of a large sweep: how large its page is, how long it takes to write and to open.

    python benchmarks/report.py [--trials 1000] [--opens 3]

The trials are closed-form, run by the real engine without Ray; the browser is Debian's chromium.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from ruamel.yaml import YAML

from sweeper.plan.plan import make_plan
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from tests.sweeper.in_process import drive

SPACE = {
    "train": {
        "d_model": 16, "num_heads": 2, "vocab_size": 64, "context_length": 16,
        "max_steps": 160, "min_learning_rate": 0,
    },
    "space": {
        "learning_rate": {"loguniform": [1e-4, 1e-1]},
        "warmup_steps": {"randint": [0, 60]},
        "size": {"choice": {"small": {"d_model": 16}, "large": {"d_model": 32}}},
    },
    "scheduler": {"type": "asha", "grace_steps": 10},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--opens", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = sweep(Path(temporary), given.trials)
        begin = time.monotonic()
        page = write_report(folder).path
        seconds = time.monotonic() - begin
        size = page.stat().st_size / 1e6
        print(f"{given.trials} trials: report.html {size:.1f} MB, written in {seconds:.1f} s")
        for _ in range(given.opens):
            loaded, plotted = opened(page)
            print(f"opens: load event after {loaded:.2f} s, first plot after {plotted:.2f} s")


def sweep(root: Path, trials: int) -> RunFolder:
    for name in ("train", "val"):
        np.save(root / f"{name}.npy", np.zeros(1000, np.uint8))
    search = {"algorithm": "random", "num_trials": trials}
    file = root / "thousand.yaml"
    YAML().dump({**SPACE, "data": str(root), "search": search}, file)
    spec, source = load_spec(file)
    plan = make_plan(spec, root, source)
    folder = create_run_folder(root / "runs", plan.spec, None, str(file))
    os.fsync = lambda fd: None  # not what is measured
    drive(folder, plan)
    return folder


def opened(page_path: Path) -> tuple[float, float]:
    """Seconds from the navigation to the load event, and to the first plot that is drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, offline=True)
        begin = time.monotonic()
        page.goto(page_path.as_uri())
        loaded = time.monotonic() - begin
        page.locator("[data-figure]").first.scroll_into_view_if_needed()
        page.wait_for_selector("[data-figure] .main-svg")
        plotted = time.monotonic() - begin
        browser.close()
    return loaded, plotted


if __name__ == "__main__":
    main()
