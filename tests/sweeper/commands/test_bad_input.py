"""Mistakes of the user's, as a person meets them: a real `python -m sweeper`, a message, exit code
2, no traceback, nothing started and nothing written. More of them, in this process, stand in
`test_planning.py`."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPACE = """\
data: data
train: {d_model: 16, num_heads: 2, d_ff: 32, num_layers: 1, context_length: 16, max_steps: 16,
        warmup_steps: 2, min_learning_rate: 0}
space:
  learning_rate: {grid: [1e-3, 1e-2]}
scheduler: {type: asha, grace_steps: 4}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A working folder with a good search space, space.yaml, and its data."""
    (tmp_path / "data").mkdir()
    for name in ("train", "val"):
        np.save(tmp_path / "data" / f"{name}.npy", (np.arange(500) % 64).astype(np.uint8))
    (tmp_path / "data" / "meta.json").write_text('{"vocab_size": 64, "bytes_per_token": 1.0}')
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


def refused(project: Path, *arguments: str) -> str:
    """What `python -m sweeper` says to this; it has to refuse it."""
    before = contents(project)
    done = subprocess.run(
        [sys.executable, "-m", "sweeper", *(arguments or ("run", "space.yaml"))],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert contents(project) == before
    return done.stderr


def contents(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


# A mistake: what is replaced in the good file, by what, and what is said of it.
IN_THE_FILE = {
    "an unknown key": ("scheduler:", "schedular:",
        "space.yaml:6: schedular: no such key; did you mean 'scheduler'?"),
    "an unknown setting": ("d_model", "dmodel",
        "space.yaml:2: train.dmodel: no such training setting; did you mean 'd_model'?"),
    "a wrong type": ("num_layers: 1", "num_layers: one",
        "space.yaml:2: train.num_layers: must be a whole number, got 'one'"),
    "no, which is text": ("max_steps: 16", "max_steps: 16, compile: no",
        "space.yaml:2: train.compile: must be true or false, got 'no'"),
    "an empty grid": ("[1e-3, 1e-2]", "[]",
        "space.yaml:5: space.learning_rate.grid: must not be empty"),
    "low above high": ("grid: [1e-3, 1e-2]", "uniform: [1e-2, 1e-3]",
        "space.yaml:5: space.learning_rate.uniform: low must be below high, got [0.01, 0.001]"),
    "a log scale at 0": ("grid: [1e-3, 1e-2]", "loguniform: [0, 1e-3]",
        "space.yaml:5: space.learning_rate.loguniform: low must be above 0 on a log scale, got 0"),
    "a metric that is not reported": ("scheduler:", "objective: {metric: accuracy}\nscheduler:",
        "space.yaml:6: objective.metric: must be 'val_loss', 'val_perplexity', "),
    "heads that do not divide": ("num_heads: 2", "num_heads: 3",
        "space.yaml:2: train.num_heads: must divide d_model (16), got 3"),
    "an odd head size": ("num_heads: 2", "num_heads: 16",
        "space.yaml:2: train.num_heads: must leave an even head size"),
    "a missing data folder": ("data: data", "data: dta",
        "dta; make one with: python -m sweeper prepare FILES --out "),
    "a missing checkpoint": ("max_steps: 16", "max_steps: 16, init_from: no.pt",
        "space.yaml:2: train.init_from: no such file or folder: no.pt"),
    "a token outside the vocabulary": ("max_steps: 16", "max_steps: 16, vocab_size: 32",
        "data/train.npy: token ids reach 63, outside the vocabulary; set vocab_size to 64 or more, "
        "got 32"),
    "data shorter than a window": ("context_length: 16", "context_length: 500",
        "data/train.npy: holds 500 tokens, fewer than one window of context_length + 1 = 501"),
    "a key that stands twice": ("data: data", "data: data\ndata: more",
        "space.yaml:2: 'data' stands in line 1 too; remove one"),
    "a tag": ("[1e-3, 1e-2]", "!tuple [1e-3, 1e-2]", "space.yaml:5: no tag !tuple here"),
    "a date": ("[1e-3, 1e-2]", "[2026-11-22]",
        "space.yaml:5: space.learning_rate.grid.0: must be a number, got '2026-11-22'"),
    "a tab": ("  learning_rate", "\tlearning_rate", "space.yaml:5: not valid YAML: "),
}  # fmt: skip


# One that reading the file tells, one that planning does, one that the data do.
@pytest.mark.parametrize(
    "mistake", ["an unknown key", "heads that do not divide", "a token outside the vocabulary"]
)
def test_in_the_file(project: Path, mistake: str) -> None:
    good, bad, message = IN_THE_FILE[mistake]
    assert good in SPACE
    (project / "space.yaml").write_text(SPACE.replace(good, bad, 1))
    assert message in refused(project)


def test_every_mistake_is_told_at_once(project: Path) -> None:
    (project / "space.yaml").write_text(
        SPACE.replace("d_model", "dmodel").replace("asha", "asah").replace("[1e-3, 1e-2]", "[]")
    )
    lines = refused(project).splitlines()
    assert sorted(line.split(":")[1] for line in lines) == ["2", "5", "6"]


def test_on_the_command_line(project: Path) -> None:
    told = refused(project, "run", "space.yaml", "--set", "train.max_stps=8", "--set", "seeds=[]")
    assert "--set train.max_stps: no such training setting; did you mean 'max_steps'?" in told
    assert "--set seeds: must not be empty" in told


def not_tokens(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, array)


IN_THE_DATA = {
    "a wrong dtype": (not_tokens(np.zeros(99, np.float32)), "must be of dtype uint8, uint16 or"),
    "below nought": (not_tokens(np.full(99, -1, np.int64)), "holds a token id of -1"),
    "a wrong shape": (not_tokens(np.zeros((9, 9), np.uint8)), "one dimension, got shape (9, 9)"),
    "objects": (not_tokens(np.array([{}])), "not readable as an array of tokens"),
    "no array": (lambda path: path.write_text("tokens"), "not readable as an array of tokens"),
    "nothing": (lambda path: path.write_bytes(b""), "not readable as an array of tokens"),
    "no file": (lambda path: path.unlink(), "space.yaml:1: data: "),
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "space.yaml: is empty; it must be a mapping"),
        (b"- learning_rate\n", "space.yaml: is a list; it must be a mapping"),
        (b"\x93NUMPY\x01\x00", "space.yaml: is not text: byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_search_space(project: Path, content: bytes, message: str) -> None:
    (project / "space.yaml").write_bytes(content)
    assert message in refused(project)


def test_a_file_that_is_not_there(project: Path) -> None:
    assert refused(project, "run", "lr.yaml") == "lr.yaml: no such file\n"
    assert refused(project, "run", "data") == "data: is a folder; name a file in it\n"
    assert refused(project, "resume", "lr").startswith("runs/lr: no sweep there")
    assert refused(project, "best", "lr").startswith("runs/lr: no sweep there")


def test_the_built_in_corpus_is_not_prepared_for_a_sweep_that_cannot_be(project: Path) -> None:
    bad = SPACE.replace("data: data\n", "").replace("num_heads: 2", "num_heads: 3")
    (project / "space.yaml").write_text(bad)
    assert "train.num_heads" in refused(project)


def test_more_than_the_machine_has(project: Path) -> None:
    """The one mistake that only Ray can tell, so it starts first."""
    (project / "space.yaml").write_text(SPACE + "resources: {cpu: 1000}\n")
    told = refused(project, "run", "space.yaml", "--no-dashboard")
    assert "resources.cpu: a trial asks for 1000, but this machine has " in told
