"""`python -m trainable` as people run it: its files, its words, its exit codes, its signals."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.trainable.program_runs import MakeConfig, flags, steps
from trainable.__main__ import main, resume_command
from trainable.command_line.options import ProgramOptions
from trainable.config import TrainConfig
from trainable.loop.training import Trainer

ROOT = Path(__file__).parents[2]


def test_it_leaves_the_guides_files(
    tiny: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = tiny(max_steps=8, checkpoint_every_steps=3), tmp_path / "out"
    assert main([*flags(config), "--output_dir", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint_step_3.pt",
        "checkpoint_step_6.pt",
        "config.json",
        "final_checkpoint.pt",
        "metrics.jsonl",
    ]
    assert TrainConfig.from_mapping(json.loads((out / "config.json").read_text())) == config
    assert steps(out) == [3, 4, 6, 8]
    shown = capsys.readouterr().out
    assert "5,456 parameters, float32 on cpu" in shown
    assert re.search(
        r"step 8/8  loss \d\.\d{4}  lr 1\.00e-03  grad norm .* tokens/s  0:00:0\d  "
        r"val loss \d\.\d{4}  perplexity \d\.\d\d  \d\.\d{3} bits/byte",
        shown,
    )
    assert "\x1b" not in shown  # no bar and no colours where there is no terminal


def test_the_last_checkpoints_and_the_best_are_kept(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(
        max_steps=10,
        warmup_steps=9,
        learning_rate=30.0,
        checkpoint_every_steps=1,
        eval_every_steps=1,
    )
    assert main([*flags(config), "--output_dir", str(tmp_path), "--keep_checkpoints", "2"]) == 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    losses = {line["step"]: line["val_loss"] for line in map(json.loads, lines)}
    best = min(losses, key=lambda step: losses[step])
    assert best < 9, "this run should get worse, or the test shows nothing"
    kept = {path.name for path in tmp_path.glob("checkpoint_step_*.pt")}
    assert kept == {f"checkpoint_step_{step}.pt" for step in (best, 9, 10)}


def test_resuming_doubles_no_line(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(max_steps=8, checkpoint_every_steps=3)
    out = ["--output_dir", str(tmp_path)]
    assert main([*flags(config), *out]) == 0
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "cut')  # as a crash leaves it
    again = ["--resume_from", str(tmp_path / "checkpoint_step_3.pt"), "--max_steps", "10"]
    assert main([*again, *out]) == 0
    assert steps(tmp_path) == [3, 4, 6, 8, 9, 10]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--vocab_size", "5"], "token ids reach 7, outside the vocabulary"),
        (["--val_data", "/no/where.npy"], "/no/where.npy: no such file"),
        (["--d_modle", "5"], "--d_modle: no such flag; did you mean '--d_model'?"),
        (["--device", "cuda:9"], "device: cuda:9 is not on this machine"),
        (["--init_from", "/no/where.pt"], "/no/where.pt: no such checkpoint"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(
    tiny: MakeConfig,
    tmp_path: Path,
    change: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main([*flags(tiny()), "--output_dir", str(out), *change]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1
    assert "Traceback" not in shown.err and not shown.out
    assert not out.exists()


def test_divergence_is_an_outcome(
    tiny: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(learning_rate=1e37, weight_decay=0.0, max_steps=100)
    assert main([*flags(config), "--output_dir", str(tmp_path)]) == 1
    assert "diverged: 10 steps in a row" in capsys.readouterr().out
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["diverged"] and last["train_loss"] is not None
    assert not (tmp_path / "final_checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("number", "dtype"),
    [(signal.SIGTERM, "bfloat16"), (signal.SIGINT, "float32"), (signal.SIGHUP, "float32")],
)
def test_a_signal_saves_and_the_command_shown_goes_on_exactly(
    tiny: MakeConfig, tmp_path: Path, number: signal.Signals, dtype: str
) -> None:
    config = tiny(max_steps=100_000, log_every_steps=1, dtype=dtype)
    command = [sys.executable, "-m", "trainable", *flags(config)]
    command += ["--output_dir", str(tmp_path), "--num_threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step      5/"):
                process.send_signal(number)
                break
        shown = process.stdout.read()
    assert process.returncode == 130
    (checkpoint,) = tmp_path.glob("checkpoint_step_*.pt")
    stopped_at = int(checkpoint.stem.rpartition("_")[2])
    assert steps(tmp_path) == list(range(1, stopped_at + 1))

    resume = shlex.split(shown.splitlines()[-1].removeprefix("interrupted; go on with: "))
    last = stopped_at + 3
    resume += ["--max_steps", str(last), "--num_threads", "1"]
    assert resume[:3] == ["python", "-m", "trainable"]
    done = subprocess.run([sys.executable, *resume[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert steps(tmp_path) == list(range(1, last + 1))

    straight = Trainer(config, num_threads=1)
    report = next(r for r in straight.train() if straight.step == stopped_at)
    saved = torch.load(checkpoint)
    for name, weight in straight.model.state_dict().items():
        assert torch.equal(saved["model"][name], weight)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert report is not None
    assert lines[stopped_at - 1]["train_loss"] == report.train_loss


def test_under_torchrun_of_several_machines_the_command_to_go_on_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, number in {
        "RANK": 0,
        "WORLD_SIZE": 8,
        "LOCAL_RANK": 0,
        "LOCAL_WORLD_SIZE": 4,
    }.items():
        monkeypatch.setenv(name, str(number))
    command = resume_command(ProgramOptions(), Path("saved.pt"))
    assert command.startswith("torchrun --nnodes=2 --nproc_per_node=4 -m trainable --resume_from")


def test_a_run_goes_on_when_nobody_reads_on(tiny: MakeConfig, tmp_path: Path) -> None:
    """`python -m trainable … | head -1`"""
    config = tiny(max_steps=300, log_every_steps=1)
    command = [sys.executable, "-m", "trainable", *flags(config), "--num_threads", "1"]
    with subprocess.Popen(
        [*command, "--output_dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert steps(tmp_path)[-1] == 300
    assert (tmp_path / "final_checkpoint.pt").exists()


def test_under_nohup_a_run_outlives_its_terminal(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(max_steps=60, log_every_steps=1)
    command = [sys.executable, "-m", "trainable", *flags(config), "--num_threads", "1"]
    with subprocess.Popen(
        [*command, "--output_dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step  5/"):
                process.send_signal(signal.SIGHUP)
    assert process.returncode == 0
    assert steps(tmp_path)[-1] == 60


def test_a_path_that_no_locale_can_show_is_no_traceback(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(max_steps=3)
    command = [sys.executable, "-m", "trainable", *flags(config), "--num_threads", "1"]
    out = os.fsencode(tmp_path) + b"/[b]:fire:\xff"
    done = subprocess.run([*map(os.fsencode, command), b"--output_dir", out], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"/[b]:fire:\\udcff/final_checkpoint.pt" in done.stdout


def test_a_terminal_gets_a_bar_with_the_time_left(
    tiny: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*flags(tiny()), "--output_dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"training .*━.*8/8", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)


def test_the_program_stands_alone() -> None:
    """trainable knows no sweep: what it imports must not bring Ray, sweeper or W&B along."""
    modules = "trainable.__main__, trainable.generate, trainable.export, trainable.loop.training"
    driver = "trainable.config, trainable.errors, trainable.loop.metrics, trainable.loop.memory"
    driver += ", trainable.data.token_files, trainable.model.model_size"
    driver += ", trainable.command_line.output_folder, trainable.optimisation.schedule"
    code = "import sys, {}; print([m for m in {} if m in sys.modules])"
    for imported, forbidden in (
        (modules, ["ray", "sweeper", "wandb", "transformers"]),
        (driver, ["ray", "sweeper", "wandb", "torch"]),
    ):
        shown = subprocess.run(
            [sys.executable, "-c", code.format(imported, forbidden)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        assert shown.stdout.strip() == "[]", f"{imported} must not import {shown.stdout}"


TRAINS = """
import sys
from pathlib import Path
from trainable.config import TrainConfig
from trainable.loop.training import Trainer
config = TrainConfig.from_mapping({config})
trainer = Trainer(config)
next(trainer.train())
trainer.save(Path("checkpoint.pt"))
next(Trainer(config, resume_from=Path("checkpoint.pt")).train())
print("torch._dynamo" in sys.modules)
"""


def test_what_is_not_compiled_does_without_the_compiler(tiny: MakeConfig, tmp_path: Path) -> None:
    """It takes as long to import as all else."""
    code = TRAINS.format(config=tiny(optimizer="muon").to_dict())
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert shown.stdout == "False\n"
