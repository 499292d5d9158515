"""Whatever `python -m trainable` reads, damaged: it is taken, or told in words, and never a
traceback."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trainable.command_line.output_folder import OutputFolder
from trainable.config import TrainConfig
from trainable.data.meta import DataMeta, read_meta
from trainable.data.token_files import check_data, open_tokens
from trainable.errors import UserError
from trainable.loop.training import Trainer
from trainable.model.model_size import num_params
from trainable.weights.checkpoint import read_checkpoint
from trainable.weights.llama_config import llama_config
from trainable.weights.llama_tokenizer import llama_tokenizer
from trainable.weights.pretrained import read_weights

Tries = Callable[[int], Iterator[random.Random]]

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 8, 2**31, 2**63, 10**30, 10**400, 16**5000),
    *(0.5, -1.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), 3.0),
    *("", "auto", "cuda", "mps", "8", "\0", "\udce9", "x" * 9000, "../x"),
    *([], [1], {}, {"a": None}, [[[]]], {3: 3}),
]
DTYPES = [
    "uint16",
    "int64",
    "uint8",
    "<u2",
    ">i8",
    "float32",
    "object",
    "S0",
    ",",
    "u2,u2",
    "i4,(2",
]
SIZES = {"d_model": 16, "num_heads": 2, "d_ff": 32, "num_layers": 2, "vocab_size": 8}


def odd(rng: random.Random, value: Any) -> Any:
    """`value` with something in it replaced, left out or put in."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        changed, key = dict(value), rng.choice(list(value))
        match rng.randrange(6):
            case 0:
                del changed[key]
            case 1:
                changed[rng.choice(["odd", 3, "step", "config"])] = rng.choice(ODD)
            case _:
                changed[key] = odd(rng, value[key])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], odd(rng, value[place]), *value[place + 1 :]]
    if isinstance(value, torch.Tensor) and rng.random() < 0.7:
        return rng.choice([value[:1] if value.ndim else value[None], value.int(), value / 0, value])
    return rng.choice(ODD)


def damaged(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 5])):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice([0, 1, 1, 4, 50, 10**6]))
        part = rng.choice([b"", rng.randbytes(end - start), data[start:end] * 2, b"\xff", b"["])
        data = data[:start] + part + data[end:]
    return data


def as_json(value: Any) -> bytes:
    """With NaN, as Python writes it; what JSON cannot hold becomes text."""
    with suppress(TypeError, ValueError):
        return json.dumps(value).encode("utf-8", "surrogatepass")
    return b'"odd"'


def spoilt(rng: random.Random, value: Any) -> bytes:
    return as_json(odd(rng, value)) if rng.random() < 0.8 else damaged(rng, as_json(value))


def taken_or_told(read: Callable[[], object]) -> object:
    try:
        return read()
    except UserError as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < 1000
        return None


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("data")
    for name in ("train", "val"):
        np.save(folder / f"{name}.npy", (np.arange(400) % 8).astype(np.uint16))
    return TrainConfig.from_mapping(
        {
            **SIZES,
            "train_data": str(folder / "train.npy"),
            "val_data": str(folder / "val.npy"),
            "context_length": 8,
            "batch_size": 2,
            "max_steps": 4,
            "eval_windows": 2,
            "device": "cpu",
            "dtype": "float32",
        }
    )


def test_settings(tries: Tries) -> None:
    names = list(get_type_hints(TrainConfig))
    for rng in tries(3000):
        settings = {rng.choice(names): rng.choice(ODD) for _ in range(rng.randrange(1, 5))}
        config = taken_or_told(lambda settings=settings: TrainConfig.from_mapping(settings))
        if isinstance(config, TrainConfig):
            assert num_params(config) < 2**63
            assert TrainConfig.from_mapping(json.loads(json.dumps(config.to_dict()))) == config


def test_meta(tries: Tries, tmp_path: Path) -> None:
    whole = {"vocab_size": 8, "bytes_per_token": 1.5, "dtype": "uint16", "separator": 0}
    for rng in tries(600):
        (tmp_path / "meta.json").write_bytes(spoilt(rng, whole))
        meta = taken_or_told(lambda: read_meta(tmp_path / "train.npy"))
        if isinstance(meta, DataMeta) and meta.bytes_per_token is not None:
            assert 1 / meta.bytes_per_token >= 0


def test_token_files(tries: Tries, tmp_path: Path, config: TrainConfig) -> None:
    tokens = np.arange(200) % 8
    header = np.zeros(256, dtype="<i4")
    header[:3] = 20240520, 1, 200
    (tmp_path / "meta.json").write_text('{"dtype": "uint16"}')
    for rng in tries(600):
        path = tmp_path / rng.choice(["t.npy", "t.bin"])
        kind = rng.choice(["npy", "npz", "raw", "llm.c"])
        with path.open("wb") as file:
            if kind in ("npy", "npz"):
                dtype = rng.choice(["u1", "u2", ">u4", "i4", "i8", "f4", "?"])
                save = np.save if kind == "npy" else np.savez
                save(file, tokens.astype(dtype).reshape(rng.choice([(200,), (20, 10), (1, 200)])))
            else:
                file.write(header.tobytes() * (kind == "llm.c") + tokens.astype("<u2").tobytes())
        if rng.random() < 0.8:
            data = path.read_bytes()
            start = damaged(rng, data[:130])  # the header is what is read
            path.write_bytes(start + data[130:] if rng.random() < 0.7 else damaged(rng, data))
        dtype = rng.choice([None, *DTYPES])
        opened = taken_or_told(lambda path=path, dtype=dtype: open_tokens(path, dtype))
        if opened is not None:
            changes = {"train_data": str(path), "val_data": str(path), "data_dtype": dtype}
            whole = TrainConfig(**{**config.to_dict(), **changes})
            taken_or_told(lambda whole=whole: check_data(whole))


def test_checkpoints(tries: Tries, tmp_path: Path, config: TrainConfig) -> None:
    trainer, path = Trainer(config), tmp_path / "c.pt"
    next(trainer.train())
    trainer.save(path)
    whole, parts = path.read_bytes(), torch.load(path)
    for rng in tries(60):
        if rng.random() < 0.4:
            path.write_bytes(damaged(rng, whole))
        else:
            torch.save(odd(rng, copy.deepcopy(parts)), path)

        def resume() -> object:
            read_checkpoint(path)
            resumed = Trainer(config, resume_from=path)
            return next(resumed.train(), None)

        taken_or_told(resume)


def test_hugging_face_folders(tries: Tries, tmp_path: Path, config: TrainConfig) -> None:
    weights = Trainer(config).model.state_dict()
    described = llama_config(config)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    saved = (tmp_path / "model.safetensors").read_bytes()
    index = {"weight_map": dict.fromkeys(weights, "model-1.safetensors")}
    for rng in tries(300):
        for file in tmp_path.iterdir():
            file.unlink()
        in_shards = rng.random() < 0.5
        place = tmp_path / ("model-1.safetensors" if in_shards else "model.safetensors")
        place.write_bytes(saved if rng.random() < 0.7 else damaged(rng, saved))
        if in_shards:
            text = as_json(index) if rng.random() < 0.5 else spoilt(rng, index)
            (tmp_path / "model.safetensors.index.json").write_bytes(text)
        text = as_json(described) if rng.random() < 0.3 else spoilt(rng, described)
        (tmp_path / "config.json").write_bytes(text)
        read = taken_or_told(lambda: read_weights(tmp_path, config))
        if isinstance(read, dict):
            shapes = {name: weight.shape for name, weight in read.items()}
            assert shapes == {name: weight.shape for name, weight in weights.items()}


def test_metrics(tries: Tries, tmp_path: Path) -> None:
    lines = [{"step": step, "val_loss": 1.0, "train_loss": None} for step in range(5)]
    folder = OutputFolder(tmp_path)
    for rng in tries(500):
        damage = rng.randrange(5)
        text = [spoilt(rng, line) if i == damage else as_json(line) for i, line in enumerate(lines)]
        folder.metrics_file.write_bytes(b"".join(line + b"\n" for line in text))
        taken_or_told(lambda: (folder.last_step, folder.prune_checkpoints(1, step=3)))


def test_tokenizers(tries: Tries, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {"a": 0, "b": 1, "ab": 2},
            "merges": [["a", "b"]],
        },
    }
    for rng in tries(500):
        path.write_bytes(spoilt(rng, whole))
        taken_or_told(lambda rng=rng: llama_tokenizer(path, rng.choice([None, 0, 2, 99]), 64))
