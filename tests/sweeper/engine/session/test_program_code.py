"""What of a training program goes to another machine, and what tells that it is the same."""

import os
import subprocess
from pathlib import Path

import pytest

from sweeper.engine.session.fingerprint import program_fingerprint
from sweeper.engine.session.program_code import all_files
from sweeper.errors import TrainerError
from sweeper.spec.trainer.section import CommandSpec


def git(folder: Path, *words: str) -> None:
    options = ("user.name=A", "user.email=a@b", "protocol.file.allow=always")
    stated = [word for option in options for word in ("-c", option)]
    subprocess.run(["git", "-C", str(folder), *stated, *words], check=True, capture_output=True)


def repository(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "it")
    return folder


@pytest.fixture(params=["git", "no git"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    program = tmp_path / "program"
    if request.param == "git":
        return repository(program, "train.py", "lib/a.py")
    (program / "lib").mkdir(parents=True)
    (program / "train.py").touch()
    (program / "lib" / "a.py").touch()
    return program


def test_a_submodule_goes_along(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", "layers.py")
    program = repository(tmp_path / "program", "train.py")
    git(program, "submodule", "add", str(library), "library")
    names = {path.relative_to(program).as_posix() for path in all_files(program)}
    assert names == {"train.py", "library/layers.py"}


@pytest.mark.parametrize("to", ["lib", "..", "../other.py"])
def test_a_link_that_would_lead_nowhere_is_refused(folder: Path, to: str) -> None:
    (folder.parent / "other.py").touch()
    (folder / "link").symlink_to(to)
    with pytest.raises(TrainerError, match=f"trainer.folder: {folder}/link is a link to /"):
        all_files(folder)


def test_what_wandb_has_written_stays_here(folder: Path) -> None:
    (folder / "wandb" / "run-1").mkdir(parents=True)
    (folder / "wandb" / "latest-run").symlink_to("run-1")
    names = {path.relative_to(folder).as_posix() for path in all_files(folder)}
    assert names == {"train.py", "lib/a.py"}


def test_a_link_to_a_file_of_the_folder_goes_along(folder: Path) -> None:
    os.symlink("train.py", folder / "again.py")
    (folder / ".hidden").symlink_to("..")
    names = {path.relative_to(folder).as_posix() for path in all_files(folder)}
    assert names == {"train.py", "lib/a.py", "again.py"}


def test_what_was_submitted_is_known_by_its_name_and_not_by_a_git_around_it(tmp_path: Path) -> None:
    program = repository(tmp_path, "runs/lr/code-0123456789abcdef/train.py") / "runs" / "lr"
    spec = CommandSpec(
        folder=str(program / "code-0123456789abcdef"),
        command="python train.py",
        max_steps=8,
        eval_every_steps=4,
    )
    before = program_fingerprint(spec)
    repository(tmp_path, "other.py")
    assert program_fingerprint(spec) == before
