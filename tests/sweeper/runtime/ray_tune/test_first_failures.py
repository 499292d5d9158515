"""A mistake that is the same for every trial, on a real Ray cluster."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.record.run_folder import RunFolder
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode, Status
from tests.sweeper.journals import raw_events
from tests.sweeper.runtime.ray_tune.faulty_trainers import BROKEN
from tests.sweeper.runtime.ray_tune.test_kills import state_of

RAISES = ("raises", "before their first step:", "RuntimeError: no driver of version 12 or newer")
UNHEARD = "before a step of theirs was heard of:"
DIED = "The process of the trial died."


@pytest.mark.parametrize(
    ("how", "before", "error", "max_retries"),
    [
        (*RAISES, 2),
        pytest.param("exits", UNHEARD, DIED, 0, marks=pytest.mark.slow),
        pytest.param("exits as it is made", UNHEARD, DIED, 1, marks=pytest.mark.slow),
        pytest.param(
            "unreadable", "before their first step:", "UnreadableError", 1, marks=pytest.mark.slow
        ),
    ],
)
def test_it_is_not_made_for_every_trial(
    tmp_path: Path, write_space: Any, cluster: None,
    capfd: pytest.CaptureFixture[str], how: str, before: str, error: str, max_retries: int,
) -> None:  # fmt: skip
    broken = tmp_path / "broken"
    broken.write_text(how)
    space = {"learning_rate": {"grid": [k * 1e-4 for k in range(1, 6)]}}
    file = write_space(space=space, scheduler={"type": "fifo"}, max_retries=max_retries)
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=tmp_path / "runs", dashboard=False, trainer=BROKEN)
    result = run_file(file, console, options)
    assert (result.exit_code, result.outcome) == (ExitCode.FAILED, "failed")
    said = capfd.readouterr().err
    assert f"The first 3 trials have all failed in the same way, {before}" in said
    assert error in said
    folder = RunFolder(tmp_path / "runs" / "tiny")
    attempts = Counter(event["event"] for event in raw_events(folder.journal))
    assert attempts["attempt_failed"] + attempts["trial_ended"] < 6
    statuses = {trial.status for trial in state_of(folder).trials.values()}
    assert statuses <= {Status.PENDING, Status.INTERRUPTED}  # the last had just begun

    broken.unlink()
    resumed = resume_sweep("tiny", console, options)
    assert (resumed.exit_code, resumed.outcome) == (ExitCode.DONE, "finished")
    for trial in resumed.state.trials.values():
        assert (trial.status, trial.failures) == (Status.COMPLETED, 0)
