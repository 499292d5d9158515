import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import MAX_LISTED_FILES, listed, prepare
from sweeper.corpus.reading.inputs import InputFile, Source


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


def test_the_home_folder_is_expanded(
    tmp_path: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    prepare([str(text_folder)], Path("~/out"))
    prepare([str(text_folder)], Path("~x/out"), tokenizer="~/out/tokenizer.json")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "~x"}


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
