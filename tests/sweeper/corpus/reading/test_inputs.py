import os
import sys
import threading
from pathlib import Path

import pytest

from sweeper.corpus.reading.inputs import check_inputs_exist, find_files, stdlib_files
from trainable.errors import DataError


def names(inputs: list[str], root: Path) -> list[str]:
    return [str(file.path.relative_to(root)) for file in find_files(inputs, root)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/z.py", "b/a.md", "a.txt", ".git/config", ".hidden", "b/__pycache__/a.pyc"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "tree"


def test_folders_are_walked_in_order_without_hidden_files(tree: Path) -> None:
    assert names([str(tree)], tree) == ["a.txt", "b/a.md", "b/z.py"]


def test_inputs_keep_their_order_and_come_once(tree: Path) -> None:
    assert names([str(tree / "b/z.py"), str(tree)], tree) == ["b/z.py", "a.txt", "b/a.md"]


def test_a_hidden_file_that_is_named_is_read(tree: Path) -> None:
    assert names([str(tree / ".hidden")], tree) == [".hidden"]


def test_a_broken_link_in_a_folder_is_no_file(tree: Path) -> None:
    (tree / "broken").symlink_to("nowhere")
    assert "broken" not in names([str(tree)], tree)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(DataError, match=r"no/such\.txt: no such file or folder; check the path"):
        check_inputs_exist(["-", "no/such.txt"])


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder holds no files"):
        find_files([str(tmp_path)], tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_named(tree: Path) -> None:
    (tree / "b").chmod(0)
    with pytest.raises(DataError, match="b: cannot be read: Permission denied"):
        find_files([str(tree)], tree)
    (tree / "b").chmod(0o700)


def test_a_pipe_is_copied(tmp_path: Path) -> None:
    pipe, scratch = tmp_path / "pipe", tmp_path / "scratch"
    os.mkfifo(pipe)
    scratch.mkdir()
    writer = threading.Thread(target=pipe.write_text, args=["from the pipe"])
    writer.start()
    (file,) = find_files([str(pipe)], scratch)
    writer.join()
    assert file.path.read_text() == "from the pipe"
    assert (file.name, file.num_bytes) == (str(pipe), 13)


def test_the_standard_library_is_about_ten_megabytes_of_source() -> None:
    files = stdlib_files()
    assert [file.path for file in files] == sorted({file.path for file in files}, key=walk_order)
    assert 5e6 < sum(file.num_bytes for file in files) < 20e6
    found = {file.path.name for file in files}
    assert "argparse.py" in found
    assert not any("site-packages" in str(file.path) for file in files)
    assert not any(Path(sys.prefix, "lib") in file.path.parents for file in files)


def walk_order(path: Path) -> list[tuple[bool, str]]:
    """Files before folders, each by name: the order of a walk."""
    *folders, name = path.parts
    return [*((True, folder) for folder in folders), (False, name)]
