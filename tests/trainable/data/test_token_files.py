import json
import subprocess
import sys
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
from trainable.loop.training import Trainer

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
        (np.zeros(50, dtype=bool), r"got bool; save it converted: .*astype"),
        (np.array(["a", "b"]), r"got <U1; save it converted: .*astype"),
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


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[1]",
        "[" * 100_000,
        '{"vocab_size": "many"}',
        '{"vocab_size": true}',
        '{"vocab_size": 0}',
        '{"vocab_size": 1e2}',
        '{"bytes_per_token": 0}',
        '{"bytes_per_token": -1.5}',
        '{"bytes_per_token": NaN}',
        '{"bytes_per_token": Infinity}',
        '{"bytes_per_token": 1' + "0" * 400 + "}",
        '{"dtype": 16}',
        '{"separator": -1}',
        '{"separator": "<eos>"}',
        '{"separator": 0.0}',
    ],
)
def test_a_spoilt_meta_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(DataError, match=r"meta\.json: "):
        read_meta(tmp_path / "train.npy")


def test_meta_is_read_as_utf8_in_any_locale(
    tmp_path: Path,
) -> None:
    (tmp_path / "meta.json").write_bytes('{"separator": 5, "note": "été"}'.encode())
    code = "from trainable.data.meta import read_meta; from pathlib import Path; import sys; "
    code += "print(read_meta(Path(sys.argv[1])).separator)"
    shown = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, tmp_path / "train.npy"],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert shown.stdout == "5\n", shown.stderr


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint64", ">i4", ">u2"])
def test_ids_of_any_whole_type_are_taken(tmp_path: Path, dtype: str, tiny: MakeConfig) -> None:
    """`np.save` of a list makes int64."""
    tokens = np.arange(100) % 8
    path = saved(tmp_path / "t.npy", tokens.astype(dtype))
    opened = open_tokens(path)
    assert isinstance(opened, np.memmap)
    assert np.array_equal(opened, tokens)
    raw = tmp_path / "t.bin"
    tokens.astype(dtype).tofile(raw)
    assert np.array_equal(open_tokens(raw, dtype), tokens)
    check_data(tiny(train_data=str(path), val_data=str(path)))


def test_the_same_ids_train_the_same_model_whatever_their_type(
    tiny: MakeConfig, tmp_path: Path
) -> None:
    losses = set()
    for dtype in ("uint8", "int32", "int64"):
        files = {}
        for key in ("train_data", "val_data"):
            tokens = np.load(str(getattr(tiny(), key))).astype(dtype)
            # A file for each type: the batch that is read ahead still maps the one before.
            files[key] = str(saved(tmp_path / f"{key}-{dtype}.npy", tokens))
        *_, last = Trainer(tiny(**files)).train()
        assert last is not None
        losses.add((last.train_loss, last.val_loss))
    assert len(losses) == 1


@pytest.mark.parametrize(
    ("dtype", "token", "message"),
    [
        ("int64", -100, r"t\.npy: holds a token id of -100; there is none below 0"),
        ("int32", -1, r"t\.npy: holds a token id of -1; "),
        ("int64", 2**40, r"t\.npy: token ids reach 1099511627776, outside the vocabulary"),
        ("uint64", 2**63, r"t\.npy: token ids reach 9223372036854775808, outside the vocabulary"),
    ],
)
def test_ids_that_cannot_be_are_refused(
    tmp_path: Path, tiny: MakeConfig, dtype: str, token: int, message: str
) -> None:
    tokens = np.zeros(100, dtype=dtype)
    tokens[50] = token
    path = str(saved(tmp_path / "t.npy", tokens))
    with pytest.raises(DataError, match=message):
        check_data(tiny(train_data=path, val_data=path))


@pytest.mark.parametrize("token", [-1, 8, 2**40])
def test_ids_between_the_samples_of_a_large_file_are_told_when_they_are_met(
    tmp_path: Path, tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch, token: int
) -> None:
    monkeypatch.setattr(token_files, "SCAN_CHUNK_BYTES", 80)
    monkeypatch.setattr(token_files, "MAX_SCANNED_BYTES", 160)
    tokens = np.zeros(1000, dtype=np.int64)
    tokens[20:-20] = token
    path = str(saved(tmp_path / "t.npy", tokens))
    with pytest.raises(DataError, match=rf"t\.npy: holds a token id of {token}, outside the voca"):
        list(Trainer(tiny(train_data=path)).train())
    with pytest.raises(DataError, match=rf"t\.npy: holds a token id of {token}, outside the voca"):
        Trainer(tiny(val_data=path))


def llm_c_file(path: Path, dtype: str, header: tuple[int, ...], tokens: np.ndarray) -> Path:
    """As llm.c's `write_datafile` writes it."""
    whole = np.zeros(256, dtype="<i4")
    whole[: len(header)] = header
    path.write_bytes(whole.tobytes() + tokens.astype(dtype).tobytes())
    return path


@pytest.mark.parametrize(
    ("dtype", "magic", "version"), [("uint16", 20240520, 1), ("uint32", 20240801, 7)]
)
def test_a_file_of_llm_c_is_recognised(
    tmp_path: Path, dtype: str, magic: int, version: int, tiny: MakeConfig
) -> None:
    tokens = np.arange(500) % 8
    path = llm_c_file(tmp_path / "fineweb_000001.bin", dtype, (magic, version, 500), tokens)
    for stated in (None, dtype):
        opened = open_tokens(path, stated)
        assert isinstance(opened, np.memmap)
        assert np.array_equal(opened, tokens)
    check_data(tiny(train_data=str(path), val_data=str(path)))
    with pytest.raises(DataError, match=rf"has llm.c's header, of {dtype}, and not of uint8; leav"):
        open_tokens(path, "uint8")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((20240520, 1, 501), "its llm.c header tells of 501 tokens, and it holds 500"),
        ((20240520, 1, -1), "its llm.c header tells of -1 tokens, and it holds 500"),
        ((20240520, 2, 500), "has llm.c's header, of an unknown version 2"),
        ((20240801, 1, 500), "has llm.c's header, of an unknown version 1"),
    ],
)
def test_another_header_of_llm_c_is_refused(
    tmp_path: Path, header: tuple[int, ...], message: str
) -> None:
    path = llm_c_file(tmp_path / "t.bin", "uint16", header, np.zeros(500))
    with pytest.raises(DataError, match=rf"t\.bin: .*{message}"):
        open_tokens(path)


def test_a_file_of_numpy_needs_no_suffix_and_an_archive_is_none(tmp_path: Path) -> None:
    with (tmp_path / "t.bin").open("wb") as file:
        np.save(file, np.arange(9))
    assert np.array_equal(open_tokens(tmp_path / "t.bin"), np.arange(9))
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, np.arange(9))
    with pytest.raises(DataError, match=r"archive\.npy: not readable as an array"):
        open_tokens(tmp_path / "archive.npy")


@pytest.mark.parametrize("name", ["", ",", "S0", "object", "float32", "u2,u2", "i4,(2", "x" * 999])
def test_a_raw_type_that_is_no_whole_number_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.bin").write_bytes(bytes(64))
    with pytest.raises(
        DataError, match=r"t\.bin: (data_dtype: no such type|must be of dtype|a raw)"
    ):
        open_tokens(tmp_path / "t.bin", name)


def test_good_data_passes(tiny: MakeConfig) -> None:
    check_data(tiny())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_data": None}, "train_data: needed"),
        ({"val_data": "/no/where.npy"}, r"/no/where\.npy: no such file; .*prepare"),
        ({"context_length": 29_999 + 1}, r"val\.npy: holds 30,000 tokens, fewer than one window"),
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
    assert token_files.token_range(tokens) == (0, 0)
    tokens[-1] = 200
    assert token_files.token_range(tokens) == (0, 200)
