import errno
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tokenizers import Tokenizer, models, pre_tokenizers

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import MAX_LISTED_FILES, listed, prepare
from sweeper.corpus.reading.inputs import InputFile, Source
from sweeper.corpus.tokens.tokenization import byte_tokenizer
from trainable.errors import DataError


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize(("tokenizer", "dtype"), [("bytes", np.uint8), ("bpe:600", np.uint16)])
def test_the_folder_is_what_its_meta_says(
    tmp_path: Path, text_folder: Path, tokenizer: str, dtype: type
) -> None:
    out = tmp_path / "out"
    meta = prepare([str(text_folder)], out, tokenizer=tokenizer, val_fraction=0.2)
    folder = CorpusFolder(out)
    assert Meta.read(folder) == meta
    names = {"train.npy", "val.npy", "tokenizer.json", "meta.json"}
    assert {path.name for path in out.iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    train, val = np.load(folder.train, mmap_mode="r"), np.load(folder.val, mmap_mode="r")
    assert train.dtype == val.dtype == np.dtype(meta.dtype) == dtype
    assert (train.shape, val.shape) == ((meta.train_tokens,), (meta.val_tokens,))
    assert max(train.max(), val.max()) < meta.vocab_size
    assert meta.separator == 0
    assert np.count_nonzero(val == 0) == meta.val_documents
    assert np.count_nonzero(train == 0) == meta.documents - meta.val_documents
    assert meta.skipped_files == 1 and len(meta.sources) == 26
    assert meta.bytes_per_token == meta.val_bytes / meta.val_tokens
    for name, digest in meta.sha256.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


def test_further_validation_sets_lie_beside_the_first(tmp_path: Path, text_folder: Path) -> None:
    files = {"one": "a cat", "two": "a dog", "three": "an owl"}
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    sets = {"pets": ["one.txt", "two.txt"], "Wild_1": ["three.txt"]}
    given = {name: [str(tmp_path / file) for file in of] for name, of in sets.items()}
    meta = prepare([str(text_folder)], tmp_path / "out", val_sets=given)
    folder = CorpusFolder(tmp_path / "out")
    plain = prepare([str(text_folder)], tmp_path / "plain")
    assert list(folder.val_sets) == ["Wild_1", "pets"]
    assert np.load(folder.val_sets["pets"]).tobytes() == b"a cat\0a dog\0"
    assert (meta.val_sets["pets"].tokens, meta.val_sets["pets"].documents) == (12, 2)
    assert (
        meta.sha256["val-Wild_1.npy"]
        == hashlib.sha256(folder.val_sets["Wild_1"].read_bytes()).hexdigest()
    )
    assert Meta.read(folder) == meta and contents(folder.path).items() >= {
        (name, content)
        for name, content in contents(tmp_path / "plain").items()
        if name != "meta.json"
    }
    assert b"val_sets" not in (tmp_path / "plain" / "meta.json").read_bytes() and not plain.val_sets


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


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:600"])
def test_all_text_comes_back_from_the_tokens(
    tmp_path: Path, text_folder: Path, tokenizer: str
) -> None:
    out = CorpusFolder(tmp_path / "out")
    meta = prepare([str(text_folder)], out.path, tokenizer=tokenizer)
    library = Tokenizer.from_file(str(out.tokenizer))
    tokens = np.concatenate([np.load(out.train), np.load(out.val)])
    parts = np.split(tokens, np.flatnonzero(tokens == meta.separator) + 1)
    found = [library.decode(part[:-1].tolist()) for part in parts if len(part)]
    assert sum(len(text.encode()) for text in found) == meta.train_bytes + meta.val_bytes
    assert "Story 7: il était une fois … 🦊\n" in found
    assert (text_folder / "__future__.py").read_text() in found
    # and the other way: the library's ids for a text are the ids in the file
    for part, text in zip(parts[:20], found, strict=False):
        assert library.encode(text).ids == part[:-1].tolist()


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:600"])
def test_transformers_reads_the_same_ids(tmp_path: Path, text_folder: Path, tokenizer: str) -> None:
    from transformers import PreTrainedTokenizerFast

    out = CorpusFolder(tmp_path / "out")
    prepare([str(text_folder)], out.path, tokenizer=tokenizer)
    fast = PreTrainedTokenizerFast(tokenizer_file=str(out.tokenizer))
    text = "def f():\n    return 'é 🦊'\n"
    assert fast(text)["input_ids"] == Tokenizer.from_file(str(out.tokenizer)).encode(text).ids


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:600"])
def test_preparing_twice_gives_the_same_bytes(
    tmp_path: Path, text_folder: Path, tokenizer: str
) -> None:
    for name in ("one", "two"):
        prepare([str(text_folder)], tmp_path / name, tokenizer=tokenizer)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_prepared_tokenizer_serves_another_corpus(tmp_path: Path, text_folder: Path) -> None:
    first = prepare([str(text_folder)], tmp_path / "first", tokenizer="bpe:600")
    path = str(tmp_path / "first/tokenizer.json")
    second = prepare([str(text_folder)], tmp_path / "second", tokenizer=path)
    assert second.sha256 == first.sha256
    assert (second.separator, second.vocab_size) == (0, 600)


def test_standard_input_is_read_even_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"the quick brown fox\n" * 500
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    meta = prepare(["-"], tmp_path / "out", tokenizer="bpe:300")
    assert meta.train_bytes + meta.val_bytes == len(text)
    assert [(source.path, source.bytes) for source in meta.sources] == [
        ("standard input", len(text))
    ]


def test_one_small_file_gives_its_end_for_validation(tmp_path: Path) -> None:
    text = b"".join(b"line %03d\n" % number for number in range(1000))
    (tmp_path / "a.txt").write_bytes(text)
    prepare([str(tmp_path / "a.txt")], tmp_path / "out", val_fraction=0.1)
    assert np.load(tmp_path / "out/val.npy").tobytes() == text[-900:] + b"\0"
    assert np.load(tmp_path / "out/train.npy").tobytes() == text[:-900] + b"\0"


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


def test_the_home_folder_is_expanded(
    tmp_path: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    prepare([str(text_folder)], Path("~/out"))
    prepare([str(text_folder)], Path("~x/out"), tokenizer="~/out/tokenizer.json")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "~x"}


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


def test_a_damaged_meta_is_named(tmp_path: Path) -> None:
    folder = CorpusFolder(tmp_path)
    with pytest.raises(DataError, match=r"meta\.json: cannot be read .*sweeper prepare"):
        Meta.read(folder)
    folder.meta.write_text('{"format": 2}')
    with pytest.raises(DataError, match=r"meta\.json: format: .* 1; prepare the folder again"):
        Meta.read(folder)


def test_a_folder_of_very_many_files_is_listed_as_one() -> None:
    def sources(folder: str | None, count: int) -> list[tuple[InputFile, Source]]:
        file = InputFile(path=Path("a"), name="a", num_bytes=1, folder=folder)
        return [(file, Source(path=f"a{n}", bytes=1, sha256="0")) for n in range(count)]

    files = [*sources("few", 2), *sources("many", MAX_LISTED_FILES + 1), *sources(None, 1)]
    entries = listed(files)
    assert [entry.path for entry in entries] == ["a0", "a1", "many", "a0"]
    assert (entries[2].files, entries[2].bytes) == (MAX_LISTED_FILES + 1, MAX_LISTED_FILES + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux")
def test_memory_stays_flat_on_one_large_file(tmp_path: Path) -> None:
    """200 MB in one file without a single line end, prepared in less memory than it has."""
    with (tmp_path / "large.txt").open("wb") as file:
        for number in range(200):
            file.write(b"%06d " % number * (1_000_000 // 7))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from sweeper.corpus.preparation import prepare\n"
        "prepare([sys.argv[1]], Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "large.txt"), str(tmp_path / "out")]
    # ru_maxrss survives exec: a shell between keeps this process's own memory out of it
    done = subprocess.run(
        ["sh", "-c", '"$@" && true', "sh", *command], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150_000
    assert os.path.getsize(tmp_path / "out/train.npy") > 180_000_000
