"""What holds for every test: options, properties that are not judged by the clock, and a closing
word on what was left out."""

import atexit
import os
import signal
import sys
from collections import Counter

import pytest
from hypothesis import settings

# A machine that is busy with something else is slow, and nothing is wrong with what is tested. And
# what passed once passes again: new examples are looked for with `--hypothesis-profile=explore`.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("any machine")

# However the suite was started (in the background, by nohup), programs that it starts hear signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


exit_status: list[int] = []


@atexit.register  # the first to be registered, so the last that is called
def leave_without_destructors() -> None:
    """A thread of Ray's (opencensus's harvester) outlives its shutdown, and may wake while `exit`
    takes apart what it works on: a suite that had passed once ended with a segmentation fault."""
    if "ray" in sys.modules and exit_status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_status[0])


def pytest_sessionfinish(exitstatus: int) -> None:
    exit_status.append(exitstatus)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        type=int,
        default=6,
        help="How often test_kills.py kills sweeps at random, in all",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests were left out, and how to have them: a skip is easily taken for a pass."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, number in reasons.most_common():
        reason = reason.removeprefix("Skipped: ")
        terminalreporter.write_line(f"{number} left out: {reason}", yellow=True)
    deselected = terminalreporter.stats.get("deselected", [])
    if slow := sum(item.get_closest_marker("slow") is not None for item in deselected):
        terminalreporter.write_line(f"{slow} left out for time: make test-all", yellow=True)
