"""What a program can do, found out by running it: of programs that can more or less."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.runtime.trainers.checking import Finding, Findings, check_trainer
from tests.sweeper.runtime.trainers.jobs import job


def checked(folder: Path, **stated: Any) -> Findings:
    told: list[Finding] = []
    findings = check_trainer(lambda path: job(path, **stated), folder, told.append)
    assert tuple(told) == findings.found
    return findings


@pytest.mark.parametrize("style", ["after", "before", "pattern", "folder", "hook"])
def test_a_program_that_goes_on_exactly(tmp_path: Path, style: str) -> None:
    findings = checked(tmp_path, style=style)
    assert (findings.level, findings.missing) == (2, None)
    said = [(finding.what, finding.found.split(";")[-1]) for finding in findings.found]
    assert [what for what, _ in said] == [
        "metrics",
        "ended by SIGTERM",
        "ended by SIGKILL",
        "the same numbers",
    ]
    assert said[0][1].startswith("val_loss at 10, 20, 30, the first after ")
    assert said[1][1].startswith(" goes on from 20 (0.0 MB")
    assert ("without trainer.checkpoint.marker it could be torn" in said[1][1]) is (
        style == "folder"
    )


@pytest.mark.parametrize(
    "stated, level, missing",
    [
        ({"fault": "forgets"}, 1, "each random number generator"),
        ({"checkpoint": None}, 0, "say where the program saves itself: trainer.checkpoint"),
        ({"fault": "begins anew"}, 0, "was to go on from step 20, and is at step 0"),
        ({"fault": "never saves"}, 0, "ckpt.json must be written after the metrics of each"),
        ({"style": "async", "marker": "NEVER"}, 0, "latest, and a new NEVER with it, must be"),
        ({"fault": "torn"}, 0, "JSONDecodeError"),
        ({"fault": "silent"}, None, "before its first metrics (looked for 'step {step:d}: val"),
        ({"resume": "--resumes"}, 0, "unrecognized arguments: --resumes"),
        ({"max_steps": 20, "more": " --max_steps=20"}, None, "evaluate at least 3 times"),
    ],
)
def test_what_is_missing_for_the_next_level_is_told(
    tmp_path: Path, stated: dict[str, Any], level: int | None, missing: str
) -> None:
    findings = checked(tmp_path, **stated)
    assert findings.level == level
    assert findings.missing is not None and missing in findings.missing


def test_nothing_is_left_running(tmp_path: Path) -> None:
    checked(tmp_path, fault="forgets")
    ours = str(tmp_path).encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert b"SWEEPER_TRIAL_DIR=" + ours not in environment.read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
