import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.loop.statistics import COUNTS
from trainable.loop.training import Trainer
from trainable.weights.checkpoint import newest_good_checkpoint, read_checkpoint

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def checkpoint(tiny: MakeConfig, tmp_path: Path) -> Path:
    trainer = Trainer(tiny())
    next(trainer.train())
    path = tmp_path / "checkpoint_step_1.pt"
    trainer.save(path)
    return path


def test_a_checkpoint_is_read_whole_and_leaves_no_temporary_file(checkpoint: Path) -> None:
    read = read_checkpoint(checkpoint)
    assert read.step == 1
    assert read.config.d_model == 16
    assert os.listdir(checkpoint.parent) == [checkpoint.name]


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt: no such checkpoint"):
        read_checkpoint(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("kept", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_one_is_refused(checkpoint: Path, kept: float) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CheckpointError, match=r"checkpoint_step_1\.pt: .*damaged"):
        read_checkpoint(checkpoint)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_flipped_bits_are_noticed(checkpoint: Path, place: float) -> None:
    data = bytearray(checkpoint.read_bytes())
    start = int(len(data) * place)
    data[start : start + 64] = bytes(byte ^ 0xFF for byte in data[start : start + 64])
    checkpoint.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"checkpoint_step_1\.pt: .*damaged"):
        read_checkpoint(checkpoint)


class _RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (torch.save, "refused: .*would run code"),
        (lambda value, path: path.write_bytes(pickle.dumps(value)), "truncated or damaged"),
    ],
)
def test_a_file_that_wants_to_run_code_is_refused(
    tmp_path: Path, write: Callable[[object, Path], object], message: str
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt"
    write({"step": _RunsCode(marker)}, path)
    with pytest.raises(CheckpointError, match=rf"evil\.pt: {message}"):
        read_checkpoint(path)
    assert not marker.exists()


def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this program"):
        read_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("format", 2, "format 2, this program reads 1"),
        ("format", torch.ones(3), "format tensor"),
        ("step", "1", "damaged: step cannot be '1'"),
        ("step", -1, "damaged: step cannot be -1"),
        ("step", True, "damaged: step cannot be True"),
        ("step", 2**70, "damaged: step cannot be 1180591620717411303424"),
        ("train_seconds", float("nan"), "damaged: train_seconds cannot be nan"),
        ("micro_batch_size", 0, "damaged: micro_batch_size cannot be 0"),
        ("config", {"d_modle": 3}, "its config cannot be used: d_modle: no such setting"),
        ("config", {3: 3}, "its config cannot be used: 3: no such setting"),
        ("config", {"dtype": torch.ones(3)}, "its config cannot be used: dtype: must be one of"),
        ("config", [], r"damaged: config cannot be \[\]"),
        ("model", {}, "damaged: its config and its weights do not agree on 'lm_head.weight'"),
        ("model", None, "damaged: model cannot be None"),
        ("optimizer", {}, "damaged: its state does not fit"),
        ("optimizer", {"state": {0: {"step": 1}}}, "damaged: its state does not fit"),
        (
            "optimizer",
            {"state": {0: {"exp_avg": torch.ones(64, 16), "exp_avg_sq": torch.ones(64, 16)}}},
            "damaged: its state does not fit",
        ),
        ("statistics", {}, "damaged: its state does not fit"),
        ("statistics", {"loss_sum": torch.ones(2)}, "damaged: its state does not fit"),
    ],
)
def test_a_part_that_cannot_be_is_told(
    checkpoint: Path, tiny: MakeConfig, part: str, value: object, message: str
) -> None:
    parts = torch.load(checkpoint)
    torch.save({**parts, part: value}, checkpoint)
    with pytest.raises(CheckpointError, match=rf"checkpoint_step_1\.pt: {message}"):
        Trainer(tiny(), resume_from=checkpoint)


@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
@pytest.mark.parametrize("value", [torch.ones(3), 5, None])
def test_weights_and_moments_of_another_shape_are_told(
    checkpoint: Path, tiny: MakeConfig, name: str, value: object
) -> None:
    parts = torch.load(checkpoint)
    moments = parts["optimizer"]["state"][0]["exp_avg"]
    parts["optimizer"]["state"][0]["exp_avg"] = torch.ones(3)
    torch.save(parts, checkpoint)
    with pytest.raises(CheckpointError, match=r"its state does not fit .*exp_avg of shape \(3,\)"):
        Trainer(tiny(), resume_from=checkpoint)
    parts["optimizer"]["state"][0]["exp_avg"] = moments
    parts["model"][name] = value
    torch.save(parts, checkpoint)
    with pytest.raises(CheckpointError, match=f"damaged: {name} is no tensor of shape"):
        Trainer(tiny(), resume_from=checkpoint)


@pytest.mark.parametrize(("before", "after"), [("float32", "float16"), ("float16", "bfloat16")])
def test_a_run_may_go_on_in_another_precision(
    tiny: MakeConfig, tmp_path: Path, before: str, after: str
) -> None:
    trainer = Trainer(tiny(dtype=before))
    next(trainer.train())
    trainer.save(tmp_path / "c.pt")
    resumed = Trainer(tiny(dtype=after), resume_from=tmp_path / "c.pt")
    *_, last = resumed.train()
    assert last is not None and last.step == 8 and last.skipped_steps == 0


def test_the_newest_good_one_is_found_and_the_bad_ones_named(
    checkpoint: Path, tmp_path: Path
) -> None:
    truncated, empty = tmp_path / "truncated.pt", tmp_path / "empty.pt"
    truncated.write_bytes(checkpoint.read_bytes()[:5000])
    empty.write_bytes(b"")
    found = newest_good_checkpoint([truncated, empty, checkpoint])
    assert found.path == checkpoint
    assert found.checkpoint is not None and found.checkpoint.step == 1
    assert [problem.split(":")[0] for problem in found.bad] == [str(truncated), str(empty)]
    assert newest_good_checkpoint([empty]).path is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_model": 32}, "d_model is 16 there and 32 here"),
        ({"num_layers": 1, "d_ff": 8}, "d_ff is 32 there and 8 here, num_layers is 2 there"),
        ({"rope_theta": 5.0}, "rope_theta is 10000.0 there and 5.0 here"),
        ({"rms_norm_eps": 1e-6}, "rms_norm_eps is 1e-05 there and 1e-06 here"),
    ],
)
def test_another_shape_is_refused_by_name(
    tiny: MakeConfig, checkpoint: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(CheckpointError, match=f"of another model: {message}"):
        Trainer(tiny(**change), resume_from=checkpoint)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from trainable.weights.checkpoint import read_checkpoint, write_checkpoint
from trainable.errors import CheckpointError

path = Path(sys.argv[1])
checkpoint = read_checkpoint(path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails with an error, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for target in (path, path.with_name("later.pt")):
    try:
        write_checkpoint(target, checkpoint)
    except CheckpointError as error:
        print(error)
"""


def test_a_full_disk_is_said_and_earlier_checkpoints_stay(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    assert len(before) > 20_000
    shown = subprocess.run(
        [sys.executable, "-c", FULL_DISK, checkpoint], capture_output=True, text=True, check=True
    )
    lines = shown.stdout.splitlines()
    assert len(lines) == 2, shown.stderr
    for line in lines:
        assert "not written ([Errno 27] File too large); earlier checkpoints are intact" in line
    assert checkpoint.read_bytes() == before
    assert os.listdir(checkpoint.parent) == [checkpoint.name]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("name", COUNTS)
def test_a_count_that_is_none_is_told(
    checkpoint: Path, tiny: MakeConfig, name: str, value: float
) -> None:
    parts = torch.load(checkpoint)
    parts["statistics"][name] = torch.tensor(value)
    torch.save(parts, checkpoint)
    with pytest.raises(CheckpointError, match=rf"its state does not fit \(ValueError: {name} of"):
        Trainer(tiny(), resume_from=checkpoint)
