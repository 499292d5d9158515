"""The folder that a corpus is made in: whole or not there, whoever else writes beside it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import prepare
from sweeper.corpus.reading.inputs import Source
from trainable.errors import DataError


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_an_existing_output_is_left_alone(tmp_path: Path, text_folder: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("precious")
    with pytest.raises(DataError, match=r"--out: .*out: exists already.*choose another name"):
        prepare([str(text_folder)], out)
    assert contents(tmp_path) == {} and (out / "mine").read_text() == "precious"


def test_the_output_may_lie_in_the_input_and_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("some text\n" * 10)
    meta = prepare([str(tmp_path)], tmp_path / "out")
    assert [Path(source.path).name for source in meta.sources] == ["a.txt"]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    prepare([str(tmp_path / "a.txt")], Path())
    assert Meta.read(CorpusFolder(tmp_path / "here")).documents == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "out", "here"}


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (Path("x" * 300), "--out: x+: cannot be written: File name too long"),
        (Path("/proc/sweeper/out"), "--out: /proc/sweeper/out: cannot be written: "),
        (Path("/dev/shm"), "--out: /dev/shm: (exists already|a disk is mounted there; name a)"),
        (Path("/"), "--out: /: exists already"),
    ],
)
def test_an_output_that_can_be_none_is_told_at_once(
    text_folder: Path, out: Path, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepare([str(text_folder)], out)


def test_files_of_others_beside_the_output_are_left_alone(
    tmp_path: Path, text_folder: Path
) -> None:
    """They are called as the work of a killed run is, but for the process."""
    begun = f".out.partial-{socket.gethostname()}-12345678-"
    for process in ("x", "99999999999999999999", "²"):
        (tmp_path / f"{begun}{process}").mkdir()
    prepare([str(text_folder)], tmp_path / "out")
    assert len(list(tmp_path.iterdir())) == 4


def test_an_output_made_meanwhile_is_left_alone(
    tmp_path: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def other_process(*_: object) -> list[Source]:
        out.mkdir()
        (out / "mine").write_text("precious")
        return []

    monkeypatch.setattr("sweeper.corpus.preparation.listed", other_process)
    with pytest.raises(DataError, match="exists already"):
        prepare([str(text_folder)], out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_an_empty_output_folder_is_filled(tmp_path: Path, text_folder: Path) -> None:
    (tmp_path / "out").mkdir()
    prepare([str(text_folder)], tmp_path / "out")
    assert (tmp_path / "out/meta.json").exists()


def test_an_output_that_cannot_be_made_is_named(tmp_path: Path, text_folder: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"--out: .*file/out: cannot be written: Not a directory"):
        prepare([str(text_folder)], tmp_path / "file/out")


def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> list[Source]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("sweeper.corpus.preparation.listed", interrupt)
        prepare([str(text_folder)], tmp_path / "data/out")
    assert list(tmp_path.iterdir()) == []
    prepare([str(text_folder)], tmp_path / "data/out")


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path, text_folder: Path) -> None:
    code = "import sys; from pathlib import Path; from sweeper.corpus.preparation import prepare; "
    command = [sys.executable, "-c", code + "prepare(['-'], Path(sys.argv[1]))"]
    process = subprocess.Popen([*command, str(tmp_path / "out")], stdin=subprocess.PIPE)
    while not list(tmp_path.rglob("spool-0")):  # it waits for its input, its folders made
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not (tmp_path / "out").exists()
    prepare([str(text_folder)], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
