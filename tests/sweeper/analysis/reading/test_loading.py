"""From run folders, whole and damaged, to the input of a summary."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.summary import load, summarise
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.record.tables import write_tables
from tests.sweeper.in_process import drive, opened, run_trial
from tests.sweeper.record.test_tables import BUNDLES


@pytest.fixture
def finished(tmp_path: Path, tiny_plan: Any) -> Callable[..., RunFolder]:
    """A sweep that has been run, with its tables."""

    def run(**sections: Any) -> RunFolder:
        plan = tiny_plan(**sections)
        folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
        write_tables(drive(folder, plan).state, folder)
        return folder

    return run


def told(sweep: SweepData) -> list[Any]:
    return [
        (t.trial_id, t.status, t.point, t.seed, t.evaluations, t.flops_per_step)
        for t in sweep.trials
    ]


@pytest.mark.parametrize(
    "sections", [{}, {"space": BUNDLES}, {"seeds": [0, 1]}], ids=["plain", "bundles", "seeds"]
)
def test_the_tables_alone_tell_the_same_of_the_trials(
    finished: Callable[..., RunFolder], sections: dict[str, Any]
) -> None:
    folder = finished(**sections)
    whole = load(folder)
    assert (whole.state, whole.notes) == ("finished", ())
    folder.journal.unlink()
    alone = load(folder)
    assert [trial.trial_id for trial in alone.trials] == [trial.trial_id for trial in whole.trials]
    if "seeds" not in sections:
        assert told(alone) == told(whole)
    assert "journal.jsonl" in alone.notes[0]
    assert summarise(alone).winner == summarise(whole).winner or "seeds" in sections


def test_without_its_search_space_too_the_swept_names_are_those_that_differ(
    finished: Callable[..., RunFolder],
) -> None:
    folder = finished(space=BUNDLES)
    folder.spec.unlink()
    names = {parameter.name for parameter in load(folder).parameters}
    assert names == {"size", "learning_rate"}  # d_model and num_heads only follow the size


def test_a_table_of_an_older_version_gives_what_it_has(
    finished: Callable[..., RunFolder],
) -> None:
    folder = finished()
    folder.journal.unlink()
    table = pq.read_table(folder.results)
    pq.write_table(
        table.drop_columns(["d_ff", "num_params", "checkpoint", "error"]), folder.results
    )
    history = pq.read_table(folder.history)
    pq.write_table(history.drop_columns(["train_seconds", "tokens"]), folder.history)
    sweep = load(folder)
    best = sweep.trials[0]
    assert (best.num_params, best.flops_per_step, best.checkpoint) == (None, None, None)
    assert best.value is not None
    summary = summarise(sweep)
    assert summary.winner is not None
    assert summary.savings is not None
    assert summary.savings.flops is None


def test_without_a_history_there_is_the_last_evaluation(finished: Callable[..., RunFolder]) -> None:
    folder = finished()
    folder.journal.unlink()
    folder.history.unlink()
    assert [len(trial.evaluations) for trial in load(folder).trials] == [1] * 4


@pytest.mark.parametrize("damage", ["{", "nonsense"])
def test_a_damaged_journal_leaves_the_tables(
    finished: Callable[..., RunFolder], damage: str
) -> None:
    folder = finished()
    lines = folder.journal.read_text().splitlines()
    folder.journal.write_text("\n".join([*lines[:3], damage, *lines[3:]]) + "\n")
    sweep = load(folder)
    assert len(sweep.trials) == 4
    assert f"{folder.journal}:4" in sweep.notes[0]


def test_an_edited_search_space_is_told(finished: Callable[..., RunFolder]) -> None:
    folder = finished()
    folder.spec.write_text(folder.spec.read_text().replace("mode: min", "mode: max"))
    sweep = load(folder)
    assert len(sweep.trials) == 4
    assert sweep.notes


def test_nothing_is_made_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"sweep\.yaml"):
        load(RunFolder(tmp_path))
    (tmp_path / "results.parquet").write_text("no table")
    with pytest.raises(RunFolderError, match=r"results\.parquet: cannot be read"):
        load(RunFolder(tmp_path))


def test_a_sweep_that_was_cut_off_is_told_as_far_as_it_got(tmp_path: Path, tiny_plan: Any) -> None:
    plan = tiny_plan()
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with opened(folder, plan) as sweep:
        trial = sweep.next_trial()
        assert trial is not None
        run_trial(sweep, trial)
        assert load(folder).state == "interrupted"
        with folder.locked():
            data = load(folder)
    assert data.state == "running"
    assert (len(data.trials), data.num_planned) == (1, 4)
    assert data.sessions[0].ended is not None
    assert data.sessions[0].outcome is None


def test_a_copy_elsewhere_is_read_as_well(
    finished: Callable[..., RunFolder], tmp_path: Path
) -> None:
    folder = finished()
    copy = tmp_path / "copy"
    shutil.copytree(folder.path, copy)
    assert told(load(RunFolder(copy))) == told(load(folder))


def test_sessions_tell_the_machine_and_the_code(finished: Callable[..., RunFolder]) -> None:
    environment = load(finished()).sessions[0].environment
    assert environment.machine is not None
    assert (environment.machine.cpus or 0) >= 1
    assert (environment.machine.memory_bytes or 0) > 2**20
    assert environment.git is None or len(environment.git.commit) == 40
