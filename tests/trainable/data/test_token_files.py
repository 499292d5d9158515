import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainable.config import TrainConfig
from trainable.data import token_files
from trainable.data.meta import read_meta
from trainable.data.token_files import check_data, open_tokens
from trainable.errors import DataError

MakeConfig = Callable[..., TrainConfig]


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_npy_and_raw_files_are_the_same_tokens(tmp_path: Path, dtype: str) -> None:
    tokens = np.arange(200, dtype=dtype)
    npy, raw = saved(tmp_path / "t.npy", tokens), tmp_path / "t.bin"
    tokens.tofile(raw)
    for opened in (open_tokens(npy), open_tokens(raw, dtype)):
        assert isinstance(opened, np.memmap)
        assert np.array_equal(opened, tokens)
    (tmp_path / "meta.json").write_text(json.dumps({"dtype": dtype}))
    assert np.array_equal(open_tokens(raw), tokens)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(50), r"bad\.npy: must be of dtype uint8, uint16 or uint32, got float64; save it"),
        (np.zeros(50, dtype=np.int64), r"got int64; save it converted: .*astype"),
        (
            np.zeros((5, 10), dtype=np.uint8),
            r"must have one dimension, got shape \(5, 10\); .*resh",
        ),
        (np.array([{}], dtype=object), r"bad\.npy: not readable as an array of tokens"),
    ],
)
def test_another_kind_of_array_is_refused(tmp_path: Path, array: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_tokens(saved(tmp_path / "bad.npy", array))


def test_a_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("once upon a time")
    with pytest.raises(DataError, match=r"text\.npy: not readable as an array"):
        open_tokens(tmp_path / "text.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.npy: not readable as an array"):
        open_tokens(tmp_path / "empty.npy")


def test_a_raw_file_needs_its_type(tmp_path: Path) -> None:
    raw = tmp_path / "t.bin"
    np.arange(9, dtype=np.uint16).tofile(raw)
    with pytest.raises(DataError, match=r"t\.bin: a raw array needs its type: --data_dtype uint16"):
        open_tokens(raw)
    with pytest.raises(DataError, match="data_dtype: no such type 'unit16'"):
        open_tokens(raw, "unit16")
    with pytest.raises(DataError, match=r"t\.bin: not readable"):
        open_tokens(raw, "uint32")  # 18 bytes are no whole number of these


@pytest.mark.parametrize("text", ["not json", "[1]", '{"vocab_size": "many"}'])
def test_a_spoilt_meta_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(DataError, match=r"meta\.json: "):
        read_meta(tmp_path / "train.npy")


def test_good_data_passes(tiny: MakeConfig) -> None:
    check_data(tiny())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_data": None}, "train_data: needed"),
        ({"val_data": "/no/where.npy"}, r"/no/where\.npy: no such file; .*prepare"),
        ({"context_length": 29_999 + 1}, r"val\.npy: holds 30000 tokens, fewer than one window"),
        ({"vocab_size": 4}, r"train\.npy: token ids reach 7, .*set vocab_size to 8 or more, got 4"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(
    tiny: MakeConfig, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        check_data(tiny(**change))


def test_the_vocabulary_of_meta_counts_where_its_last_token_does_not_occur(
    tiny: MakeConfig, tmp_path: Path
) -> None:
    path = saved(tmp_path / "t.npy", np.zeros(500, dtype=np.uint8))
    config = tiny(train_data=str(path), val_data=str(path))
    check_data(config)
    (tmp_path / "meta.json").write_text(json.dumps({"vocab_size": 300}))
    with pytest.raises(DataError, match="token ids reach 299"):
        check_data(config)


def test_a_large_file_is_sampled_to_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_files, "SCAN_CHUNK_BYTES", 100)
    monkeypatch.setattr(token_files, "MAX_SCANNED_BYTES", 500)
    tokens = np.zeros(10_000, dtype=np.uint8)
    tokens[1000] = 9  # between the chunks looked at
    assert token_files.largest_token(tokens) == 0
    tokens[-1] = 200
    assert token_files.largest_token(tokens) == 200
