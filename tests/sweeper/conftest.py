"""Data and specs small enough that a sweep takes seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from sweeper.plan.plan import Plan, make_plan
from sweeper.spec.reading.spec_file import load_spec
from tests.sweeper.servers import BUCKET, KEYS, seaweed

TINY: dict[str, Any] = {
    "d_model": 16,
    "num_heads": 2,
    "d_ff": 32,
    "num_layers": 1,
    "vocab_size": 64,
    "context_length": 16,
    "batch_size": 4,
    "max_steps": 16,
    "warmup_steps": 2,
    "min_learning_rate": 0,
    "eval_windows": 4,
    "dtype": "float32",
}


@pytest.fixture(autouse=True, scope="session")
def quick_disk() -> Iterator[None]:
    """Nobody pulls the plug in a test: what the kernel has outlives a process that is killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def tokens_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder: a noisy cycle through 64 tokens, which a model can learn."""
    folder = tmp_path_factory.mktemp("tokens")
    rng = np.random.default_rng(0)
    for name, size in (("train", 20_000), ("val", 2_000)):
        noise = rng.integers(0, 4, size)
        np.save(folder / f"{name}.npy", ((np.arange(size) + noise) % 64).astype(np.uint8))
    (folder / "meta.json").write_text('{"vocab_size": 64, "bytes_per_token": 1.0}')
    return folder


@pytest.fixture
def write_space(tmp_path: Path, tokens_folder: Path) -> Any:
    """Write a search space of tiny trials; keyword arguments replace its sections. What is swept is
    left out of the tiny settings."""

    def write(**sections: Any) -> Path:
        swept = sections.get("space", {})
        document = {
            "name": "tiny",
            "data": str(tokens_folder),
            "train": {name: value for name, value in TINY.items() if name not in swept}
            | sections.pop("train", {}),
            "space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 1e-1]}},
            "scheduler": {"type": "asha", "grace_steps": 4},
            **sections,
        }
        path = tmp_path / "space.yaml"
        with path.open("w") as file:
            YAML().dump(document, file)
        return path

    return write


@pytest.fixture
def tiny_plan(write_space: Any, tokens_folder: Path) -> Any:
    """The plan of such a search space."""

    def plan(**sections: Any) -> Plan:
        spec, source = load_spec(write_space(**sections))
        return make_plan(spec, tokens_folder, source)

    return plan


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as endpoint:
        yield endpoint


@pytest.fixture
def s3(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a prefix that is empty."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture(params=["file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A prefix of each kind of bucket."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    return f"file://{tmp_path}/bucket"
