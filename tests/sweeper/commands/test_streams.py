"""Commands whose standard streams are closed, or lead to a full disk: real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.record.run_folder import RunFolder

ROOT = Path(__file__).parents[3]
COMMANDS = ["list", "best lr --yaml", "best lr --json", "trial lr 0000", "grafana"]


def ended(command: str, redirected: str) -> tuple[int, str]:
    """How a command ends whose streams a shell redirects so, and what it says on standard error."""
    process = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sweeper {command} {redirected}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.stdout == ""
    return process.returncode, process.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_closed_or_full(finished: RunFolder, command: str) -> None:
    assert finished.journal.is_file()
    full = "standard output: cannot be written (No space left on device)\n"
    assert ended(command, ">/dev/full") == (1, full)
    assert ended(command, "<&- >&- 2>&-") == (0, "")
    if command == COMMANDS[0]:
        assert ended(command, ">&-") == ended(command, "<&- >&-") == (0, "")
        assert ended(command, ">/dev/full 2>&1") == (1, "")


def test_with_its_input_closed_nothing_is_deleted_unasked(finished: RunFolder) -> None:
    code, told = ended("delete lr --checkpoints", "<&- >/dev/null")
    assert (code, told) == (2, "nothing was deleted: there is nobody to ask; add --yes\n")
    assert finished.journal.is_file()


def test_what_is_prepared_is_there_though_nobody_reads_its_summary(tmp_path: Path) -> None:
    """Of a preparation a full disk behind the screen leaves out no word but how far it is."""
    (tmp_path / "a.txt").write_text("text " * 3000)
    full = "standard output: cannot be written (No space left on device)\n"
    for number, (redirected, code, told) in enumerate(
        [(">/dev/full", 1, full), (">/dev/full 2>&1", 1, ""), (">&-", 0, ""), ("| head -0", 0, "")]
    ):
        out = tmp_path / f"out{number}"
        assert ended(f"prepare {tmp_path / 'a.txt'} --out {out}", redirected) == (code, told)
        assert (out / "meta.json").is_file()
