import shlex
from pathlib import Path

import pytest

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.preparation import prepare


@pytest.mark.parametrize("names", [(), ("train.npy",), ("meta.json", "val.npy"), ("a.txt",)])
def test_the_advice_where_files_are_missing_is_one_that_prepare_takes(
    tmp_path: Path, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed command is run, after what it says is to be done before."""
    monkeypatch.chdir(tmp_path)
    folder = CorpusFolder(Path("my data"))
    folder.path.mkdir()
    for name in names:
        (folder.path / name).write_text("some text\n" * 10)
    remedy = folder.remedy()
    if "move what is there away" in remedy:
        folder.path.rename("away")
    command = shlex.split(remedy.partition("python -m sweeper prepare ")[2].split(", and")[0])
    (tmp_path / "FILES").write_text("some text\n" * 10)
    *inputs, option, out = command
    assert option == "--out"
    prepare(inputs, Path(out))
