"""The corpus that is on every machine."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sweeper.corpus.builtin import prepare_default
from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import prepare
from trainable.errors import DataError


def told(inputs: Path, out: Path, **settings: object) -> str:
    shown = Console(file=io.StringIO(), width=200)
    prepare([str(inputs)], out, console=shown, **settings)  # type: ignore[arg-type]
    return shown.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_default_corpus_is_made_once(tmp_path: Path) -> None:
    shown = Console(file=io.StringIO())
    folder = prepare_default(tmp_path, console=shown)
    assert folder == tmp_path / "python-stdlib"
    before = (folder / "meta.json").stat()
    assert prepare_default(tmp_path, console=shown) == folder
    assert (folder / "meta.json").stat() == before
    output = shown.file.getvalue()  # type: ignore[attr-defined]
    assert output.count("Preparing the built-in corpus, once") == 1
    assert re.search(r"validation +[\d,]+ +\d+ +[\d.]+ kB +[456]\.\d%", output)


def test_two_processes_may_make_the_default_corpus_at_once(tmp_path: Path) -> None:
    code = "from pathlib import Path; from sweeper.corpus.builtin import prepare_default as p; "
    command = [sys.executable, "-c", code + f"p(Path({str(tmp_path)!r}))"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["python-stdlib"]
    Meta.read(CorpusFolder(tmp_path / "python-stdlib"))


def test_something_else_in_the_way_of_the_built_in_corpus_is_told(tmp_path: Path) -> None:
    (tmp_path / "python-stdlib").mkdir()
    (tmp_path / "python-stdlib/train.npy").touch()
    with pytest.raises(DataError, match=r"python-stdlib: the built-in corpus is made there, and"):
        prepare_default(tmp_path)


def test_another_corpus_under_the_default_name_is_refused(
    tmp_path: Path, text_folder: Path
) -> None:
    prepare([str(text_folder)], tmp_path / "python-stdlib", val_fraction=0.5)
    with pytest.raises(DataError, match=r"is not the built-in corpus.*0\.5; rename the folder"):
        prepare_default(tmp_path)
