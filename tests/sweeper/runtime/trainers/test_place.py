"""Where programs save themselves: paths with steps, markers, renames."""

import os
from pathlib import Path

import pytest

from sweeper.runtime.trainers.place import Place, is_renamed


def made(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "pattern, at_100, others",
    [
        ("ckpt-{step:d}.pt", "ckpt-100.pt", ["ckpt-last.pt", "ckpt-100.pt.tmp"]),
        ("step_{step:d}.pt", "step_000100.pt", ["step_.pt"]),
        ("{step:d}/step_{step:d}/model.pt", "100/step_000100/model.pt", ["100/step_99/model.pt"]),
        ("[a]*/{step:d}", "[a]*/0100", ["a/100"]),
    ],
)
def test_a_step_is_read_and_written_as_the_program_writes_it(
    tmp_path: Path, pattern: str, at_100: str, others: list[str]
) -> None:
    place = Place(path=str(tmp_path / pattern))
    assert place.by_step() == {}
    made(*(tmp_path / name for name in [at_100, *others]))
    assert place.by_step() == {100: tmp_path / at_100}
    elsewhere = Place(path=f"/another/trial/{pattern}")
    assert elsewhere.like(str(tmp_path / at_100), 100) == Path("/another/trial", at_100)


def test_without_a_step_there_is_one_path(tmp_path: Path) -> None:
    place = Place(path=str(tmp_path / "ckpt.pt"))
    assert place.at(100) == place.like("/another/trial/ckpt.pt", 100) == tmp_path / "ckpt.pt"


def test_a_marker_is_in_the_folder_or_beside_the_file(tmp_path: Path) -> None:
    made(tmp_path / "010" / "model.pt", tmp_path / "ckpt-010.pt")
    for path, marker, expected in (
        ("{step:d}", "DONE", "010/DONE"),
        ("{step:d}", "../latest", "latest"),
        ("ckpt-{step:d}.pt", "ckpt-{step:d}.done", "ckpt-010.done"),
    ):
        place = Place(path=str(tmp_path / path), marker=marker)
        assert place.marker_of(place.at(10)) == tmp_path / expected


def test_a_rename_is_seen_by_its_time(tmp_path: Path) -> None:
    """Of a folder and of a file; what is written in place, or has been written since, is none."""
    written, new = tmp_path / "written", tmp_path / "new"
    made(written / "model.pt", new / "model.pt")
    assert not is_renamed(written) and not is_renamed(written / "model.pt")
    for path in (new / "model.pt", new):
        os.utime(path, (1e9, 1e9))  # finished long before
    renamed = new.rename(tmp_path / "renamed")
    assert is_renamed(renamed)
    made(renamed / "more.pt")
    assert not is_renamed(renamed)
    assert not is_renamed(tmp_path / "away")
