import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from sweeper.corpus.reading.inputs import check_inputs_exist, find_files, stdlib_files
from sweeper.corpus.reading.left_out import LeftOut, Tally
from sweeper.corpus.reading.names import printable
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


def test_linked_folders_are_walked_each_folder_once(tree: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.txt").write_text("linked")
    (tree / "b/away").symlink_to(elsewhere)
    (tree / "c").symlink_to(elsewhere)
    (tree / "d").symlink_to(tree / "b")
    assert names([str(tree)], tree) == ["a.txt", "b/a.md", "b/z.py", "b/away/c.txt"]
    assert names([str(tree / "c")], tree) == ["c/c.txt"]


def test_links_that_lead_back_end(tree: Path) -> None:
    left_out = Tally()
    (tree / "b/up").symlink_to("..")
    (tree / "b/itself").symlink_to(".")
    (tree / "b/top").symlink_to("/")
    (tree / "round").symlink_to("round")
    found = find_files([str(tree)], tree, left_out=left_out)
    assert [str(file.path.relative_to(tree)) for file in found] == ["a.txt", "b/a.md", "b/z.py"]
    assert left_out == {LeftOut.loops: 3, LeftOut.not_files: 1}


def test_what_is_no_file_is_passed_over_and_counted(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "null").symlink_to("/dev/null")
    (tree / "broken").symlink_to("nowhere")
    left_out = Tally()
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tree)  # the path of a socket may be no longer than 100 characters or so
        listener.bind("socket")
        found = find_files([str(tree)], tree, left_out=left_out)
        with pytest.raises(DataError, match=r"socket: is a socket; name files, folders, pipes"):
            check_inputs_exist([str(tree / "socket")])
    assert len(found) == 3
    assert left_out == {LeftOut.not_files: 4}


def test_prepared_folders_are_no_text(tree: Path) -> None:
    (tree / "prepared").mkdir()
    marks = frozenset({"tokens.npy", "meta.json"})
    for name in (*marks, "more.txt"):
        (tree / "prepared" / name).write_text(name)
    left_out = Tally()
    found = find_files([str(tree)], tree, marks=marks, left_out=left_out)
    assert len(found) == 3 and left_out == {LeftOut.prepared: 1}
    with pytest.raises(DataError, match=r"prepared: holds tokens, not text: `prepare` made it"):
        find_files([str(tree / "prepared")], tree, marks=marks)


def test_names_that_are_not_utf8_are_written_with_escapes(tree: Path) -> None:
    raw = os.fsencode(tree) + b"/caf\xe9\n.txt"
    with open(raw, "wb") as file:
        file.write(b"text")
    for text in (str(tree), os.fsdecode(raw)):
        found = find_files([text], tree)
        file = next(file for file in found if "caf" in file.name)
        assert file.name == str(tree) + r"/caf\xe9\n.txt"
        assert file.path.read_bytes() == b"text"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("café 中 a b.txt", "café 中 a b.txt"),
        ("caf\udce9", r"caf\xe9"),
        ("half \ud83d of a pair", r"half \ud83d of a pair"),
        ("\x1b[31mred\r\n", r"\x1b[31mred\r\n"),
        (os.fsdecode("café".encode()), "café"),
    ],
)
def test_names_are_printable(name: str, shown: str) -> None:
    assert printable(name) == shown
    printable(name).encode()


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused(device: str) -> None:
    with pytest.raises(DataError, match=f"{device}: is a device; name files, folders, pipes, or -"):
        check_inputs_exist([device])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text " * 1000, r"^(text ){40}…: cannot be read: File name too long$"),
        ("a\0b", r"^a\\x00b: cannot be read: .*embedded null"),
        ("/dev/null/a", "^/dev/null/a: no such file or folder"),
        ("caf\udce9", r"^caf\\xe9: no such file or folder"),
    ],
)
def test_a_name_that_can_be_none_is_told(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_inputs_exist([name])


def test_a_link_that_leads_round_is_told(tree: Path) -> None:
    (tree / "round").symlink_to("round")
    with pytest.raises(DataError, match=r"round: cannot be read: Too many levels of symbolic"):
        check_inputs_exist([str(tree / "round")])


def test_standard_input_may_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match=r"^-: standard input is closed; pipe text in, or name"):
        find_files(["-"], tmp_path)


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


def test_a_pipe_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from the pipe")
    os.close(writing)
    (file,) = find_files([f"/dev/fd/{reading}"] * 2, tmp_path)
    os.close(reading)
    assert file.path.read_text() == "from the pipe"


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
