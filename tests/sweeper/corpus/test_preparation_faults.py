"""Text, tokenizers and machines that `prepare` cannot do with: what it says, and what it leaves."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tokenizers import Tokenizer, models, pre_tokenizers

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import prepare
from sweeper.corpus.tokens.tokenization import byte_tokenizer
from trainable.errors import DataError


def test_validation_sets_without_a_name_or_text_are_refused(
    tmp_path: Path, text_folder: Path
) -> None:
    (tmp_path / "empty.txt").touch()
    for name, file, told in (
        ("a b", text_folder, "--val: a b: a set is named by letters, digits and _"),
        ("ema", text_folder, "--val: ema: .* taken"),
        ("code", tmp_path / "nothing", "nothing: no such file"),
        ("code", tmp_path / "empty.txt", "the inputs of the validation set code hold no text"),
    ):
        with pytest.raises(DataError, match=told):
            prepare([str(text_folder)], tmp_path / "out", val_sets={name: [str(file)]})
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (b"text", {"val_fraction": 0.0}, "--val_fraction: must be above 0 and below 1, got 0;"),
        (b"text", {"val_fraction": 1.0}, "--val_fraction: must be above 0 and below 1, got 1;"),
        (b"text", {"val_fraction": float("nan")}, "--val_fraction: must be .*, got nan;"),
        (b"text", {"tokenizer": "bpe:10"}, "--tokenizer: bpe:10: the vocabulary must be"),
        (b"", {}, "the inputs hold no text; name files with text"),
        (b" \n\n", {}, "the inputs hold no text; name files with text"),
        (b"a", {}, "the inputs hold 1 byte of text, too little"),
        (b"\0\0", {}, r"a\.txt: is a binary file"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    tmp_path: Path, data: bytes, settings: dict[str, float], message: str
) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match=message):
        prepare([str(tmp_path / "a.txt")], tmp_path / "new/data/out", **settings)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_names_that_are_not_utf8_lose_no_work(tmp_path: Path) -> None:
    """In the inputs, the output and the tokenizer: all were found out at the very end."""
    odd = os.fsdecode(b"caf\xe9")
    (tmp_path / odd).mkdir()
    (tmp_path / odd / f"{odd}.txt").write_text("ab " * 100)
    table = pa.table({"text": ["a b"]})
    with open(tmp_path / odd / f"{odd}.parquet", "wb") as file:
        pq.write_table(table, file)
    tokenizer = tmp_path / f"{odd}.json"
    tokenizer.write_text(byte_tokenizer().to_str())
    shown = Console(file=io.StringIO(), width=200)
    out = tmp_path / f"out-{odd}"
    meta = prepare([str(tmp_path / odd)], out, tokenizer=str(tokenizer), console=shown)
    names = [source.path.removeprefix(f"{tmp_path}/") for source in meta.sources]
    assert names == [rf"caf\xe9/caf\xe9.{ending}" for ending in ("parquet", "txt")]
    assert Meta.read(CorpusFolder(out)) == meta and meta.tokenizer.endswith(r"/caf\xe9.json")
    assert r"out-caf\xe9" in shown.file.getvalue()  # type: ignore[attr-defined]


def test_bad_names_in_messages_are_shown_with_escapes(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    odd.write_text("no json")
    with pytest.raises(DataError, match=r"caf\\xe9\.jsonl:1: not JSON"):
        prepare([str(odd)], tmp_path / "out")


def told(inputs: Path, out: Path, **settings: object) -> str:
    shown = Console(file=io.StringIO(), width=200)
    prepare([str(inputs)], out, console=shown, **settings)  # type: ignore[arg-type]
    return shown.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_too_little_validation_text_is_told(tmp_path: Path) -> None:
    """Three thousand rows of nine texts: copies are no more text to validate on."""
    rows = [{"text": f"text {number % 9}"} for number in range(3000)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = told(tmp_path / "a.jsonl", tmp_path / "out")
    validation = Meta.read(CorpusFolder(tmp_path / "out"))
    assert (
        f"warning: validation has {validation.val_tokens:,} tokens, an evaluation reads 131,072 "
        "(128 windows of 1,024, unless a sweep says otherwise): its windows overlap or are all "
        "the same; give more text or a larger --val_fraction (it was 0.05)" in output
    )
    assert (
        f"warning: validation has {validation.val_documents} documents, but only a single text;"
        in output
    )


def test_names_are_no_markup_on_a_console_that_knows_it(tmp_path: Path) -> None:
    named = tmp_path / "[red]t.json"
    Tokenizer(models.BPE({"a": 0, "b": 1, " ": 2}, [])).save(str(named))
    (tmp_path / "a.txt").write_text("a b\n" * 1000)
    out = tmp_path / "[bold]out"
    output = told(tmp_path / "a.txt", out, tokenizer=str(named))
    assert output.count(f"tokenizer {named}: ") == output.count(f"{out} from 1 file") == 1


def test_enough_validation_text_is_not_told(tmp_path: Path) -> None:
    lines = [f"line {number} of a text that goes on\n" for number in range(300_000)]
    (tmp_path / "a.txt").write_text("".join(lines))
    assert "warning" not in told(tmp_path / "a.txt", tmp_path / "out")


def test_what_is_left_out_or_lost_is_told(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    Tokenizer(models.BPE({"a": 0, "b": 1, " ": 2}, [])).save(str(tokenizer))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("a b\n" * 1000 + "abc é")
    (tmp_path / "in/b.bin").write_bytes(b"\0")
    (tmp_path / "in/empty.md").touch()
    (tmp_path / "in/broken").symlink_to("nowhere")
    shutil.copytree(prepared(tmp_path), tmp_path / "in/prepared")
    output = told(tmp_path / "in", tmp_path / "out", tokenizer=str(tokenizer))
    for sentence in (
        "left out of the folders: 1 × a file that is not UTF-8 text",
        "left out of the folders: 1 × no file but a pipe, a socket or a broken link",
        "left out of the folders: 1 × a prepared folder, which holds tokens",
        "left out: 1 × a file, line or row that is empty, null or white space",
        "warning: lost: 2 × a character that the tokenizer has no token for: c é",
    ):
        assert sentence in output


def prepared(tmp_path: Path) -> Path:
    (tmp_path / "some.txt").write_text("some text\n" * 10)
    prepare([str(tmp_path / "some.txt")], tmp_path / "prepared")
    return tmp_path / "prepared"


def test_a_prepared_folder_is_no_input(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    with pytest.raises(DataError, match=r"prepared: holds tokens, not text: `prepare` made it"):
        prepare([str(folder)], tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ({"a.txt": "a b", "b.txt": "a c"}, "b.txt"),
        ({"a.jsonl": '{"text": "a b"}\n{"text": "a c"}'}, "a.jsonl:2"),
        ({"a.txt": "a b\n" * 5000 + "c"}, "a.txt"),  # alone, it is divided
    ],
)
def test_text_that_a_tokenizer_lacks_tokens_for_is_named(
    tmp_path: Path, text: dict[str, str], place: str
) -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "t.json"))
    (tmp_path / "in").mkdir()
    for name, content in text.items():
        (tmp_path / "in" / name).write_text(content)
    message = rf"/in/{place}: the tokenizer has no token for some of the text: WordLevel .*bpe:4096"
    with pytest.raises(DataError, match=message):
        prepare([str(tmp_path / "in")], tmp_path / "out", tokenizer=str(tmp_path / "t.json"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("separator", [[], ["</s>"]])
def test_a_tokenizer_that_has_no_token_for_a_side_is_refused(
    tmp_path: Path, separator: list[str]
) -> None:
    tokenizer = Tokenizer(models.BPE({"a": 0}, []))
    tokenizer.add_special_tokens(separator)
    tokenizer.save(str(tmp_path / "t.json"))
    (tmp_path / "a.txt").write_text("a" * 1000 + "中" * 100)
    message = "has no token for any of the text on the val side; take another, as --tokenizer bytes"
    with pytest.raises(DataError, match=message):
        prepare([str(tmp_path / "a.txt")], tmp_path / "out", tokenizer=str(tmp_path / "t.json"))


def test_a_disk_that_is_full_is_not_the_fault_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text")))
    monkeypatch.setattr("sweeper.corpus.reading.inputs.shutil.copyfileobj", full)
    with pytest.raises(DataError, match=r"--out: .*out: cannot be written: No space left"):
        prepare(["-"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:300"])
@pytest.mark.parametrize("screen", ["pipe without a reader", "closed", "full disk"])
def test_a_screen_that_is_gone_ends_no_preparation(
    tmp_path: Path, text_folder: Path, screen: str, tokenizer: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    command = [sys.executable, "-m", "sweeper", "prepare", str(text_folder)]
    command += ["--out", str(tmp_path / "out"), "--tokenizer", tokenizer]
    if screen == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    stdout = {"pipe without a reader": writer, "full disk": full}.get(screen)
    subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE)
    os.close(writer)
    os.close(full)
    Meta.read(CorpusFolder(tmp_path / "out"))


def test_closed_standard_input_is_told(tmp_path: Path) -> None:
    command = f"{sys.executable} -m sweeper prepare - --out {tmp_path}/out <&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "-: standard input is closed; pipe text in, or name files\n"
