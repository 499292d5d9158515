"""Inputs of every kind, damaged: `prepare` makes a whole folder, or tells of a mistake in one
message and leaves nothing."""

import gzip
import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import prepare
from sweeper.corpus.split import essence
from sweeper.corpus.tokens.tokenization import byte_tokenizer
from trainable.data.meta import read_meta
from trainable.errors import DataError, UserError

Tries = Callable[[int], Iterator[random.Random]]

WORDS = ["a", "the", "été", "中文", "😀", "\n", "\r\n", "\t", " ", "x" * 300]
WORDS += ["<|endoftext|>", "</s>"]
ODD_BYTES = [b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\r", b"<|endof", b"\xed\xa0"]
ODD_VALUES: list[Any] = [
    *(None, True, 0, -1, 2**32, 2**70, 1.5, 1e999, "", "a", "\ud83d", "\0", "<unk>", [], {}),
    *([[]], {"a": None}, ["a", "b"], [["a", -1.0]], {"type": "BPE"}, "text" * 100),
]


def text(rng: random.Random) -> str:
    number = rng.choice([3, 3, 10, 30, 300]) if rng.random() < 0.9 else 0
    return " ".join(rng.choices(WORDS, k=number))


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Some bytes of it changed, cut out, doubled, or put in."""
    for _ in range(rng.choice([0] * 12 + [1, 1, 2, 5])):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice([0, 1, 1, 4, 50, 10**6]))
        part = rng.choice([b"", rng.randbytes(end - start), data[start:end] * 2, *ODD_BYTES])
        data = data[:start] + part + data[end:]
    return data


def json_line(rng: random.Random) -> bytes:
    end = rng.choice(["", "", "\0", "\ud83d"])
    record: Any = {"text": text(rng) + end, "id": rng.randrange(10**6)}
    if rng.random() < 0.01:
        record = damaged_json(rng, record)
    line = json.dumps(record, ensure_ascii=rng.random() < 0.5).encode(errors="replace")
    odd = [b"", b"{}", b"9" * 5000, b"[" * 10**5, b'{"text": "x", "n": ' + b"9" * 5000 + b"}"]
    return rng.choice(odd) if rng.random() < 0.005 else line


def table(rng: random.Random) -> pa.Table:
    rows = [rng.choice([text(rng), None, ""]) for _ in range(rng.choice([0, 1, 10, 10, 200]))]
    kinds = [
        *(pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())),
    ]
    column = pa.array(rows, pa.string()).cast(rng.choice(kinds))
    if rng.random() < 0.1:
        column = column.cast(pa.string()).cast(pa.binary())
    columns: list[Any] = [column, column, pa.array([{"b": row} for row in rows])]
    odd_names = [("text", "text"), ("a.b", "\0é")]
    names = [*(rng.choice(odd_names) if rng.random() < 0.1 else ("text", "body")), "a"]
    number = rng.randrange(1, 4)
    return pa.Table.from_arrays(columns[:number], names=names[:number])


def damaged_json(rng: random.Random, value: Any) -> Any:
    """One of its values, at any depth, replaced, or left out."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.2:
        return rng.choice(ODD_VALUES)
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 5))
    key = rng.choice(list(keys))
    copy: Any = value.copy()
    if rng.random() < 0.2:
        del copy[key]
    else:
        copy[key] = damaged_json(rng, value[key])
    return copy


def tokenizer(rng: random.Random) -> Tokenizer:
    vocab = {word: number for number, word in enumerate(rng.sample(WORDS, rng.randrange(1, 12)))}
    vocab |= {letter: len(vocab) + n for n, letter in enumerate("abcé▁") if rng.random() < 0.7}
    unknown = rng.choice([None, "<unk>", "a"])
    pieces = [(word, -1.0) for word in vocab]
    made = Tokenizer(
        rng.choice(
            [
                models.BPE(vocab, [], unk_token=unknown, byte_fallback=rng.random() < 0.5),
                models.WordLevel(vocab, unk_token=unknown or "<unk>"),
                models.WordPiece(vocab, unk_token=unknown or "[UNK]"),
                models.Unigram(pieces, unk_id=rng.choice([None, 0]), byte_fallback=False),
                byte_tokenizer().model,
            ]
        )
    )
    if rng.random() < 0.5:
        made.normalizer = rng.choice([normalizers.NFKC(), normalizers.BertNormalizer()])
    if rng.random() < 0.7:
        splits = [pre_tokenizers.ByteLevel(), pre_tokenizers.Metaspace()]
        made.pre_tokenizer = rng.choice([*splits, pre_tokenizers.Whitespace()])
        made.decoder = rng.choice([decoders.ByteLevel(), decoders.Metaspace(), decoders.Fuse()])
    if rng.random() < 0.3:
        made.add_special_tokens(rng.choice([["</s>"], ["<unk>"], ["<|endoftext|>", "<s>"]]))
        made.post_processor = processors.ByteLevel()
    return made


def tokenizer_file(rng: random.Random) -> bytes:
    described = json.loads(tokenizer(rng).to_str())
    while rng.random() < 0.3:
        described = damaged_json(rng, described)
    data = json.dumps(described).encode()
    return damaged(rng, data) if rng.random() < 0.2 else data


def write_file(rng: random.Random, folder: Path) -> None:
    """A file, or something else, of any kind."""
    name = rng.choice(["a", "b.é", os.fsdecode(b"c\xe9\n"), "d '$[b]", ".e"])
    ending = rng.choice([*([".txt", ".jsonl", ".parquet"] * 4), ".NDJSON", ".gz", ".npy", ""])
    path = folder / (name + ending)
    if os.path.lexists(path):
        return
    match ending:
        case ".parquet":
            with path.open("wb") as file:
                pq.write_table(table(rng), file, use_dictionary=rng.random() < 0.5)
            path.write_bytes(damaged(rng, path.read_bytes()))
        case ".jsonl" | ".NDJSON":
            lines = [json_line(rng) for _ in range(rng.choice([0, 1, 20, 20, 20]))]
            path.write_bytes(damaged(rng, rng.choice([b"\n", b"\r\n"]).join(lines)))
        case ".gz":
            path.write_bytes(damaged(rng, gzip.compress(text(rng).encode())))
        case ".npy":
            np.save(path, np.arange(rng.randrange(100)))
        case _:
            data = text(rng).encode(rng.choice(["utf-8"] * 20 + ["utf-16", "utf-8-sig"]))
            path.write_bytes(damaged(rng, data) * rng.choice([1, 1, 1, 50]))
    if rng.random() < 0.1:  # a copy of it
        shutil.copy(path, folder / f"copy{ending}")


def write_other(rng: random.Random, folder: Path, root: Path) -> None:
    """What is in a folder and is no file."""
    path = folder / rng.choice(["f", "g.txt", "h.jsonl"])
    if os.path.lexists(path):
        return
    match rng.randrange(5):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to(rng.choice(["nowhere", ".", "..", str(root), "/dev/null", path.name]))
        case 2:
            with socket.socket(socket.AF_UNIX) as listener:
                os.chdir(folder)  # a socket's path is short
                listener.bind(path.name)
        case 3:
            path.mkdir()
            for name in CorpusFolder.NAMES[rng.randrange(3) :]:
                (path / name).write_text("{}")
        case 4:
            path.mkdir()
            write_file(rng, path)


def settings(rng: random.Random, root: Path) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if rng.random() < 0.4:
        file = root / "tokenizer.json"
        file.write_bytes(tokenizer_file(rng))
        odd = ["bpe", "bpe:1", "bpe:1e3", "bpe:" + "9" * 30, "\udce9", "", "x" * 300, str(root)]
        names = [str(file)] * 6 + ["bpe:257", "bpe:300"]
        chosen["tokenizer"] = rng.choice(odd) if rng.random() < 0.1 else rng.choice(names)
    if rng.random() < 0.5:
        odd_fractions = [0.0, 1.0, -1.0, float("nan"), float("inf")]
        fractions = odd_fractions if rng.random() < 0.1 else [1e-300, 0.01, 0.1, 0.5, 0.9, 0.99]
        chosen["val_fraction"] = rng.choice(fractions)
    if rng.random() < 0.1:
        chosen["text_field"] = rng.choice(["text", "body", "a.b", "a", "", "\0é", "\udce9"])
    return chosen


def check_whole(out: CorpusFolder, meta: Meta) -> None:
    assert {path.name for path in out.path.iterdir()} == set(CorpusFolder.NAMES)
    assert Meta.read(out) == meta
    assert read_meta(out.train).vocab_size == meta.vocab_size
    train, val = np.load(out.train), np.load(out.val)
    assert (len(train), len(val)) == (meta.train_tokens, meta.val_tokens)
    assert max(train.max(), val.max()) < meta.vocab_size
    Tokenizer.from_str(out.tokenizer.read_text(encoding="utf-8"))
    if meta.tokenizer == "bytes":
        parts = [{essence(p) for p in side.tobytes().split(b"\0") if p} for side in (train, val)]
        assert not parts[0] & parts[1], "a copy is on the other side"


def test_inputs_of_every_kind(
    tries: Tries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {"whole": 0, "told": 0}
    monkeypatch.chdir(tmp_path)
    for rng in tries(300):
        root = tmp_path / "try"
        folder = root / "in"
        folder.mkdir(parents=True)
        for _ in range(rng.choice([1, 1, 2, 4])):
            write_file(rng, folder)
        while rng.random() < 0.2:
            write_other(rng, folder, root)
        files = [path for path in folder.iterdir() if path.is_file()]
        inputs = [str(folder)] if rng.random() < 0.3 else [str(path) for path in files]
        options = settings(rng, root)
        before = sorted(root.iterdir())
        out = CorpusFolder(root / rng.choice(["out", os.fsdecode(b"out\xe9")]))
        try:
            meta = prepare(inputs or [str(folder)], out.path, **options)
        except UserError as error:
            outcomes["told"] += 1
            message = str(error)
            message.encode()  # it can be printed
            assert message.startswith((str(root), "--", "the inputs hold")), message
            assert "\n" not in message, message
            assert sorted(root.iterdir()) == before
        else:
            outcomes["whole"] += 1
            check_whole(out, meta)
            assert sorted(root.iterdir()) == sorted([*before, out.path])
        shutil.rmtree(root)
    assert min(outcomes.values()) > sum(outcomes.values()) / 5, "most tries are of one kind"


def test_a_damaged_meta_file(tries: Tries, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text\n" * 100)
    folder = CorpusFolder(tmp_path / "out")
    prepare([str(tmp_path / "a.txt")], folder.path)
    whole = json.loads(folder.meta.read_bytes())
    for rng in tries(300):
        data = json.dumps(damaged_json(rng, whole)).encode(errors="surrogatepass")
        folder.meta.write_bytes(damaged(rng, data))
        for read in (Meta.read, lambda folder: read_meta(folder.train)):
            try:
                read(folder)
            except DataError as error:
                str(error).encode()
                assert str(error).startswith(str(folder.meta))
