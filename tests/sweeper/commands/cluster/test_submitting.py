"""What `submit` refuses before anything is written, and what it takes up after a kill."""

from pathlib import Path
from typing import Any

import pytest

from sweeper.commands.cluster.submitting import submit
from sweeper.commands.sweeping import run
from sweeper.errors import ResourceError, RunFolderError, SpecError
from sweeper.record.run_folder import RunFolder, create_run_folder

ROOT = Path(__file__).parents[4]
ELSEWHERE = "http://head.invalid:8265"


@pytest.fixture
def killed(tmp_path: Path, tiny_plan: Any, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """As a kill leaves it between the search space and the journal."""
    monkeypatch.chdir(tmp_path)
    return create_run_folder(Path("runs"), tiny_plan().spec, "lr", "space.yaml")


def test_a_folder_that_the_cluster_does_not_have_is_refused(tmp_path: Path) -> None:
    for what in (str(ROOT / "search_spaces" / "lr.yaml"), "lr"):
        with pytest.raises(RunFolderError, match=r"--runs runs: is a folder of this machine"):
            submit(what, ELSEWHERE, runs=Path("runs"))


def test_data_that_the_cluster_does_not_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"lr.yaml: data: is null.* --set data=s3://"):
        submit(str(ROOT / "search_spaces" / "lr.yaml"), ELSEWHERE, runs=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_not_lost_by_a_kill(killed: RunFolder) -> None:
    with pytest.raises(ResourceError, match="no Ray dashboard answers"):
        submit("lr", "http://127.0.0.1:1", runs=Path("runs"))
    assert killed.journal.read_bytes() == b""


def test_a_lost_journal_is_never_begun_anew(killed: RunFolder) -> None:
    killed.trial("0000").mkdir()
    with pytest.raises(RunFolderError, match="is missing, and with it what was decided"):
        submit("lr", "http://127.0.0.1:1", runs=Path("runs"))
    with pytest.raises(RunFolderError, match="is missing, and with it what was decided"):
        run(Path("lr.yaml"), name="lr", or_resume=True, runs=Path("runs"))
    assert not killed.journal.exists()


def test_one_that_is_just_being_begun_is_left(killed: RunFolder) -> None:
    with killed.locked(), pytest.raises(RunFolderError, match="another sweeper is at work in it"):
        run(Path("lr.yaml"), name="lr", or_resume=True, runs=Path("runs"))
    assert not killed.journal.exists()
