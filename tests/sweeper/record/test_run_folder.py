"""Run folders: nothing is ever overwritten, one driver each."""

import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from filelock import FileLock

from sweeper.errors import RunFolderError
from sweeper.plan.plan import Plan
from sweeper.record.run_folder import RunFolder, create_run_folder, require_free_name, write_json
from sweeper.record.runs.finding import find_run_folder, list_run_folders, newest_run_folder
from sweeper.spec.reading.spec_file import load_spec


@pytest.fixture
def plan(tiny_plan: Any) -> Plan:
    return tiny_plan()


def test_a_name_in_use_gets_a_number(tmp_path: Path, plan: Plan) -> None:
    folders = [create_run_folder(tmp_path, plan.spec, None, "space.yaml") for _ in range(3)]
    assert [folder.name for folder in folders] == ["tiny", "tiny-2", "tiny-3"]
    for folder in folders:
        assert load_spec(folder.spec)[0] == plan.spec


def test_a_name_asked_for_and_in_use_is_refused(tmp_path: Path, plan: Plan) -> None:
    create_run_folder(tmp_path, plan.spec, "mine", "space.yaml")
    with pytest.raises(RunFolderError, match=r"in use; .*python -m sweeper resume \S+mine"):
        create_run_folder(tmp_path, plan.spec, "mine", "space.yaml")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["mine"]


def test_a_folder_for_runs_that_cannot_be_made(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunFolderError, match=r"runs: cannot be written .*; name another folder"):
        create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")


def test_whoever_only_asks_whether_it_runs_keeps_no_driver_out(tmp_path: Path, plan: Plan) -> None:
    """`status --watch` asks every second; a resume must not fail for it."""
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    asking = FileLock(folder.path / ".lock", thread_local=False)
    asking.acquire()
    Timer(0.1, asking.release).start()
    with folder.locked():
        assert folder.is_locked


def test_the_second_driver_is_refused(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    with folder.locked():
        assert RunFolder(folder.path).is_locked
        with pytest.raises(RunFolderError, match="another sweeper is at work"):
            RunFolder(folder.path).locked().__enter__()
    assert not RunFolder(folder.path).is_locked


def test_a_dead_driver_holds_no_lock(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    program = (
        "import os, signal; from pathlib import Path\n"
        "from sweeper.record.run_folder import RunFolder\n"
        f"RunFolder(Path({str(folder.path)!r})).locked().__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not folder.is_locked


def test_found_by_name_or_by_path(tmp_path: Path, plan: Plan) -> None:
    folder = create_run_folder(tmp_path, plan.spec, None, "space.yaml")
    folder.journal.touch()
    assert find_run_folder(tmp_path, "tiny").path == folder.path
    assert find_run_folder(tmp_path / "elsewhere", str(folder.path)).path == folder.path
    with pytest.raises(RunFolderError, match="no sweep there; did you mean 'tiny'"):
        find_run_folder(tmp_path, "tinny")
    assert [found.path for found in list_run_folders(tmp_path)] == [folder.path]
    (tmp_path / "table").mkdir()
    (tmp_path / "table/results.parquet").touch()
    assert {found.name for found in list_run_folders(tmp_path)} == {"tiny", "table"}
    assert newest_run_folder(tmp_path).path == folder.path, "one that can be read whole"


def test_what_the_command_line_calls_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RunFolder(Path("runs/lr")).called == "lr"
    assert RunFolder(Path("elsewhere/lr")).called == "elsewhere/lr"
    assert RunFolder(Path("/my runs/lr")).called == "'/my runs/lr'"
    monkeypatch.chdir(tmp_path)
    assert RunFolder(Path()).called == "."
    assert RunFolder(Path()).name == tmp_path.name


def test_json_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "value.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert not path.exists()
    write_json(path, {"a": 1})
    assert [file.name for file in path.parent.iterdir()] == ["value.json"]


@pytest.mark.parametrize(
    "name", ["../escape", "", "-v", "a b", "/tmp/x", "a\n", "a\nb", "\n", "x" * 65, "x" * 300, "é"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunFolderError, match="--name: must be at most 64 letters") as refused:
        require_free_name(tmp_path, name)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_name_that_no_file_can_have_finds_nothing(tmp_path: Path) -> None:
    for problem in (
        lambda: find_run_folder(tmp_path, "x" * 300),
        lambda: list_run_folders(tmp_path / ("x" * 300)),
    ):
        with pytest.raises(RunFolderError, match=r"x.*: cannot be read \(File name too long\)$"):
            problem()


def test_to_ask_whether_a_driver_is_at_work_makes_nothing(tmp_path: Path) -> None:
    """Who watches a sweep that is deleted does not bring its folder back."""
    assert not RunFolder(tmp_path / "gone").is_locked
    assert not (tmp_path / "gone").exists()
