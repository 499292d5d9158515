"""What must be as it was when a sweep is resumed: its file, its code, its data."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainable
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.errors import RunFolderError
from sweeper.record.effective_spec import effective_spec
from sweeper.views.report.writing import write_report
from tests.sweeper.engine.session.conftest import (
    edit,
    go_on,
    prepared,
    table,
    unfinished,
)
from tests.sweeper.in_process import drive, opened
from tests.sweeper.journals import raw_events


def test_an_edited_search_space_is_refused_and_told_key_by_key(started: Any) -> None:
    folder = started(train={"eval_every_steps": 4})
    unfinished(folder)
    edit(folder.spec, "max_steps: 16", "max_steps: 20")
    edit(folder.spec, "  seed: 0\n  num_trials", "  seed: 1\n  num_trials")
    edit(folder.spec, "max_retries: 2", "max_retries: 5")
    with pytest.raises(RunFolderError) as error:
        prepared(folder)
    assert str(error.value).splitlines() == [
        f"{folder.path}: its trials so far ran with something else:",
        "  train.max_steps was 16, is 20",
        "  search.seed was 0, is 1",
        "Put back what was there. Or let the trials to come differ from those before: "
        f"python -m sweeper resume {folder.path} --accept-changes",
    ]


def test_an_accepted_change_is_journaled_and_not_asked_about_again(started: Any) -> None:
    folder = started(scheduler={"type": "fifo"})
    unfinished(folder)
    created = [e for e in raw_events(folder.journal) if e["event"] == "trial_created"]
    edit(folder.spec, "max_steps: 16", "max_steps: 20")
    resumption = prepared(folder, accept=True)
    assert resumption.notes == ["Accepted: train.max_steps was 16, is 20"]
    with opened(folder, resumption.plan, resumption.session):
        pass
    again = prepared(folder)
    assert again.session is not None
    assert again.session.accepted == ()
    sweep = drive(folder, again.plan, again.session)
    assert 0 < len(created) < len(sweep.trials)
    steps = [trial.step for trial in sweep.trials.values()]
    assert steps == [16] * len(created) + [20] * (len(steps) - len(created))
    sessions = [e for e in raw_events(folder.journal) if e["event"] == "session_started"]
    assert [s["accepted"] for s in sessions] == [[], ["train.max_steps was 16, is 20"], []]


def test_a_smaller_space_that_was_accepted_does_not_wait_for_ever(started: Any) -> None:
    folder = started(scheduler={"type": "fifo"})
    unfinished(folder, keep=0.9)
    edit(folder.spec, "    - 0.001\n    - 0.01\n    - 0.1\n", "    - 0.001\n")
    assert len(go_on(folder, accept=True).trials) == 4


def test_a_bundle_that_was_taken_out_is_still_that_of_its_trials(started: Any) -> None:
    sizes = {"small": {"d_ff": 16}, "mid": {"d_ff": 32}, "big": {"d_ff": 48}}
    space = {"size": {"grid": sizes}, "learning_rate": {"grid": [1e-3, 1e-2]}}
    folder = started(scheduler={"type": "fifo"}, space=space)
    unfinished(folder, keep=0.9)
    edit(folder.spec, "      small:\n        d_ff: 16\n", "")
    assert len(go_on(folder, accept=True).trials) == 6
    write_report(folder)
    assert "small" in folder.report.read_text()


def test_decisions_that_were_made_cannot_be_accepted_away(started: Any) -> None:
    folder = started()
    unfinished(folder)
    edit(folder.spec, "reduction_factor: 2", "reduction_factor: 8")
    with pytest.raises(RunFolderError, match=r"journal\.jsonl:\d+: trial .* was it edited\?"):
        prepared(folder, accept=True)


def test_changed_training_code_is_refused_by_the_names_of_its_files(
    started: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package and a custom trainer of the test's own, edited between two sessions."""
    package, trainer = tmp_path / "my_trainable", tmp_path / "my_trainer.py"
    (package / "layers").mkdir(parents=True)
    for file in ("__init__.py", "model.py", "old.py", "layers/attention.py"):
        (package / file).write_text("x = 1\n")
    trainer.write_text("class Trainer: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sweeper.engine.session.fingerprint.TRAINABLE", "my_trainable")
    folder = started(trainer="my_trainer:Trainer")
    unfinished(folder)
    assert prepared(folder, "my_trainer:Trainer").session is not None

    (package / "layers" / "attention.py").write_text("x = 2\n")
    (package / "old.py").unlink()
    (package / "new.py").write_text("x = 1\n")
    trainer.write_text("class Trainer: pass\n")
    with pytest.raises(RunFolderError) as error:
        prepared(folder, "my_trainer:Trainer")
    assert str(error.value).splitlines()[1:-1] == [
        "  my_trainable/layers/attention.py has changed",
        "  my_trainable/old.py is gone",
        "  my_trainer has changed",
        "  my_trainable/new.py is new",
    ]
    assert "my_trainer" not in sys.modules, "to look at code is not to run it"
    go_on(folder, "my_trainer:Trainer", accept=True)


def test_every_module_of_the_trainable_counts(tiny_plan: Any) -> None:
    code = take_fingerprint(tiny_plan().spec, "trainable.loop.training:Trainer").code
    package = Path(trainable.__file__).parent
    here = {path.relative_to(package.parent).as_posix() for path in package.rglob("*.py")}
    assert set(code) == here
    assert {"trainable/loop/training.py", "trainable/optimisation/optimizer.py"} <= here
    assert len(set(code.values())) > 20


@pytest.mark.parametrize("what", ["a token", "its length", "meta.json"])
def test_changed_data_are_refused(started: Any, data: Path, what: str) -> None:
    folder = started()
    unfinished(folder)
    tokens = np.load(data / "train.npy")
    if what == "a token":
        tokens[len(tokens) // 2] += 1
    elif what == "its length":
        tokens = tokens[:-1]
    else:
        edit(data / "meta.json", "1.0", "2.0")
    np.save(data / "train.npy", tokens)
    name = "meta.json" if what == "meta.json" else "train.npy"
    with pytest.raises(RunFolderError, match=f"something else:\n  data/{name} has changed\nPut"):
        prepared(folder)


def test_data_that_have_moved_are_followed(
    started: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = started()
    unfinished(folder)
    data.rename(tmp_path / "my: data")
    with pytest.raises(
        RunFolderError, match=rf"no folder {data}, .* resume {folder.path} --set data=F"
    ):
        prepared(folder)
    monkeypatch.chdir(tmp_path)
    sweep = go_on(folder, overrides=['data="my: data"'])
    monkeypatch.chdir("/")
    moved = str(tmp_path / "my: data" / "train.npy")
    assert {trial.config.train_data for trial in sweep.trials.values()} == {moved}
    assert {row["train_data"] for row in table(sweep)} == {moved}
    assert effective_spec(folder)[0].data == str(tmp_path / "my: data")


def test_another_torch_is_told(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = started()
    unfinished(folder)
    assert prepared(folder).notes == []
    monkeypatch.setattr("sweeper.engine.session.resuming.version", lambda name: "99.0")
    (note,) = prepared(folder).notes
    assert re.fullmatch(r"torch was \S+, is 99\.0", note)
