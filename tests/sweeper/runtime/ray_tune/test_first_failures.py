"""A mistake that is the same for every trial, on a real Ray cluster."""

import io
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeper.record.run_folder import RunFolder
from sweeper.running import resume_sweep, run_file
from sweeper.runtime.session.preparation import Options
from sweeper.status import ExitCode, Status
from tests.sweeper.journals import num_events, raw_events
from tests.sweeper.runtime.ray_tune.faulty_trainers import BROKEN
from tests.sweeper.runtime.ray_tune.test_kills import state_of

UNHEARD = "before a step of theirs was heard of:"
BROKEN_IN = {  # with what is told of it
    "raises": ("before their first step:", "RuntimeError: no driver of version 12 or newer"),
    "unreadable": ("before their first step:", "UnreadableError"),
    "exits": (UNHEARD, "The process of the trial died."),
}


@pytest.mark.slow
def test_it_is_not_made_for_every_trial(
    tmp_path: Path, write_space: Any, cluster: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each session meets another mistake, and the last one none."""
    broken, folder = tmp_path / "broken", RunFolder(tmp_path / "runs" / "tiny")
    space = {"learning_rate": {"grid": [k * 1e-4 for k in range(1, 5)]}}
    file = write_space(space=space, scheduler={"type": "fifo"}, max_retries=0, max_concurrent=1)
    console = Console(file=io.StringIO(), width=100)
    options = Options(runs=folder.path.parent, dashboard=False, trainer=BROKEN)
    for how, (before, error) in BROKEN_IN.items():
        broken.write_text(how)
        there = num_events(folder.journal)
        begin = partial(resume_sweep, "tiny") if there else partial(run_file, file)
        result = begin(console, options)
        assert (result.exit_code, result.outcome) == (ExitCode.FAILED, "failed")
        said = capfd.readouterr().err
        assert f"The first 3 trials have all failed in the same way, {before}" in said
        assert error in said
        attempts = Counter(event["event"] for event in [*raw_events(folder.journal)][there:])
        assert attempts["attempt_failed"] + attempts["trial_ended"] == 3
        statuses = {trial.status for trial in state_of(folder).trials.values()}
        assert statuses <= {Status.PENDING, Status.INTERRUPTED}  # the last had just begun

    broken.unlink()
    resumed = resume_sweep("tiny", console, options)
    assert (resumed.exit_code, resumed.outcome) == (ExitCode.DONE, "finished")
    for trial in resumed.state.trials.values():
        assert (trial.status, trial.failures) == (Status.COMPLETED, 0)
