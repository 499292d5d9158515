import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from trainable.command_line.arguments import build_parser, parse_command_line
from trainable.command_line.options import ProgramOptions
from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError
from trainable.loop.training import Trainer

GUIDE = {
    "train_data": None,
    "val_data": None,
    "d_model": 512,
    "num_heads": 8,
    "d_ff": 2048,
    "num_layers": 6,
    "vocab_size": 32000,
    "context_length": 1024,
    "rope_theta": 10000.0,
    "batch_size": 32,
    "learning_rate": 3e-4,
    "min_learning_rate": 3e-5,
    "warmup_steps": 1000,
    "max_steps": 100000,
    "grad_clip": 1.0,
    "resume_from": None,
    "use_wandb": False,
    "compile": False,
    "output_dir": "checkpoints",
}


def test_the_guides_flags_have_the_guides_defaults() -> None:
    config, options = parse_command_line([])
    ours = {**config.to_dict(), **vars(options)}
    assert {name: ours[name] for name in GUIDE} == GUIDE
    assert {"wandb_project", "wandb_run_name", "dtype", "device"} <= set(ours)


@pytest.mark.parametrize("example", ["small", "large"])
def test_the_guides_examples_are_understood(example: str) -> None:
    lines = {
        "small": "--d_model 128 --num_heads 4 --d_ff 512 --num_layers 2 --batch_size 16 "
        "--max_steps 1000 --device cpu",
        "large": "--d_model 1024 --num_heads 16 --d_ff 4096 --num_layers 12 --batch_size 64 "
        "--learning_rate 1e-4 --max_steps 500000 --dtype float16 --compile --device cuda",
    }
    data = ["--train_data", "data/train.npy", "--val_data", "data/val.npy"]
    config, _ = parse_command_line([*data, *lines[example].split()])
    assert config.d_model == {"small": 128, "large": 1024}[example]
    assert config.warmup_steps == {"small": 100, "large": 1000}[example]


def test_every_field_is_a_flag_in_both_spellings_and_explained() -> None:
    text = re.sub(r"\s+", " ", build_parser().format_help())
    for settings in (TrainConfig, ProgramOptions):
        for spec in fields(settings):
            assert f"--{spec.name}" in text
            assert f"--{spec.name.replace('_', '-')}" in text
            assert spec.metadata["help"] in text
    underscores, _ = parse_command_line(["--d_model", "64", "--learning_rate=1e-3"])
    dashes, _ = parse_command_line(["--d-model", "64", "--learning-rate=1e-3"])
    assert underscores == dashes
    assert (dashes.d_model, dashes.learning_rate) == (64, 1e-3)


def test_off_and_numbers_are_written_as_people_do() -> None:
    config, options = parse_command_line(
        ["--grad_clip", "none", "--max_steps", "2e3", "--compile", "--keep_checkpoints", "3"]
    )
    assert config.grad_clip is None
    assert (config.max_steps, config.compile) == (2000, True)
    assert options.keep_checkpoints == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--d_modle 3", "--d_modle: no such flag; did you mean '--d_model'"),
        ("--lr 3", "--lr: no such flag; did you mean '--learning_rate'"),
        ("--n-layer 3", "--n-layer: no such flag; did you mean '--num_layers'"),
        ("--hlp", "--hlp: no such flag$"),
        ("--learning_rate ١", "learning_rate: must be a number, got '١'"),
        ("--max_steps ８", "max_steps: must be a whole number, got '８'"),
        ("--learning_rat=1", "--learning_rat: no such flag; did you mean '--learning_rate'"),
        ("--max_steps many", "max_steps: must be a whole number, got 'many'"),
        ("--max_steps 1.5", "max_steps: must be a whole number, got 1.5"),
        ("--dtype int8", "dtype: must be one of auto, float32, bfloat16, float16, got 'int8'"),
        ("--warmup_steps 10 --max_steps 10", r"warmup_steps: must be below max_steps \(10\)"),
        ("--d_model 30 --num_heads 4", r"num_heads: must divide d_model \(30\), got 4"),
        ("--d_model 12 --num_heads 4", "num_heads: must leave an even head size"),
        ("--keep_checkpoints 0", "keep_checkpoints: must be at least 1, got 0"),
        ("--output_dir=", "output_dir: must not be empty"),
        ("--learning_rate nan", "learning_rate: must be finite, got nan"),
    ],
)
def test_mistakes_are_named_with_the_remedy(arguments: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_command_line(arguments.split())


@pytest.fixture
def checkpoint(tiny: Callable[..., TrainConfig], tmp_path: Path) -> Path:
    trainer = Trainer(tiny(seed=11))
    for _ in trainer.train():
        trainer.save(tmp_path / f"checkpoint_step_{trainer.step}.pt")
    return tmp_path / "checkpoint_step_8.pt"


def test_a_checkpoints_config_is_the_base_and_flags_change_it(checkpoint: Path) -> None:
    config, _ = parse_command_line(["--resume_from", str(checkpoint), "--max_steps", "150000"])
    assert (config.max_steps, config.seed, config.d_model) == (150000, 11, 16)


def test_a_damaged_one_is_named_and_the_newest_good_one_taken(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:3000])
    _, options = parse_command_line(["--resume_from", str(checkpoint)])
    assert options.resume_from == str(checkpoint.with_name("checkpoint_step_7.pt"))
    assert re.search(r"warning: .*checkpoint_step_8\.pt: .*damaged", capsys.readouterr().err)
    _, options = parse_command_line(["--resume_from", str(checkpoint.parent)])
    assert options.resume_from == str(checkpoint.with_name("checkpoint_step_7.pt"))


def test_no_checkpoint_to_resume_from_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.pt: no such checkpoint"):
        parse_command_line(["--resume_from", str(tmp_path / "nothing.pt")])
    (tmp_path / "checkpoint_step_1.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint here can be resumed from"):
        parse_command_line(["--resume_from", str(tmp_path)])
