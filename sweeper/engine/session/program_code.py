"""What a training program that is not ours is made of, as far as its folder tells: the commit and
what has been changed since, or all of its Python; and every file that its command names."""

import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sweeper.errors import TrainerError
from sweeper.spec.trainer.section import CommandSpec, TrainerSpec

COMMIT = "git commit"
MOST_FILES = 2000  # that are read where there is no git
NOT_ITS_OWN = {"node_modules", "site-packages", "__pycache__", "runs"}
WANDB = "wandb"  # what it writes where a program runs


def code_files(spec: TrainerSpec) -> tuple[dict[str, Path], str | None]:
    """The files by their names from the program's folder, and the commit; None without git.

    Raises:
        TrainerError: the folder is not there.
    """
    folder = Path(spec.folder)
    if not folder.is_dir():
        raise TrainerError(f"trainer.folder: no folder {folder}")
    commit = _git(folder, "rev-parse", "HEAD").strip() or None
    found: Iterable[Path]
    if commit is None:
        python = (path for path in _files_without_git(folder) if path.suffix == ".py")
        found = islice(python, MOST_FILES)
    else:
        changed = _git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
        new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", "*.py")
        found = (folder / name for name in (changed + new).split("\0") if name)
    named = _named(spec, folder) if isinstance(spec, CommandSpec) else ()
    files = {path for path in [*found, *named] if path.is_file()}
    return {os.path.relpath(path, folder): path for path in sorted(files)}, commit


def _git(folder: Path, *arguments: str) -> str:
    """What git says; nothing where there is none, or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, encoding="utf-8", errors="surrogateescape", check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def all_files(folder: Path) -> list[Path]:
    """What another machine needs to run a program that is started here: what git has or would
    take, or everything that no tool has made. Nothing that is hidden: keys may lie there.

    Raises:
        TrainerError: a link leads to a folder, or out of this one.
    """
    told = _git(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ".")
    found = [folder / name for name in told.split("\0") if name] or _files_without_git(folder)
    files: list[Path] = []
    for path in found:
        parts = path.relative_to(folder).parts
        if WANDB in parts or any(part.startswith(".") for part in parts):
            continue
        if path.is_symlink() and (path.is_dir() or not _is_under(path, folder)):
            raise TrainerError(
                f"trainer.folder: {path} is a link to {path.resolve()}, which would not be there "
                "on another machine; have a copy in its place, or remove it and name what it means "
                "in the command"
            )
        if path.is_dir():  # a submodule
            files += all_files(path)
        elif path.is_file():
            files.append(path)
    return files


def _is_under(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _files_without_git(folder: Path) -> Iterator[Path]:
    """And links to folders, which are not followed."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in NOT_ITS_OWN
            and not (Path(here) / name / "pyvenv.cfg").exists()
        )
        links = (name for name in folders if (Path(here) / name).is_symlink())
        yield from (Path(here) / name for name in sorted([*links, *names]))


def _named(spec: CommandSpec, folder: Path) -> Iterator[Path]:
    with suppress(ValueError):  # told where the command is read
        for word in shlex.split(spec.command):
            if "{" not in word and not os.path.isabs(word):
                yield folder / word
