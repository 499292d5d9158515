"""`check-trainer` on a program of the tests' own."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweeper.commands.cli import app
from sweeper.errors import TrainerError
from sweeper.plan.placement import Node
from tests.sweeper.runtime.trainers.jobs import PROGRAM

ROOT = Path(__file__).parents[3]
SPACE = """
name: foreign
trainer:
  folder: {folder}
  command: {python} {program} --lr={{learning_rate}} --out={{trial_dir}} --style={style}
  resume: --resume
  metrics: {{stdout: "step {{step:d}}: val loss {{val_loss:f}}"}}
  checkpoint: {{path: ckpt.json}}
  settings: {{learning_rate: {{type: float, above: 0}}}}
  max_steps: 40
  eval_every_steps: 10
space: {{learning_rate: {{grid: [0.01, 0.1]}}}}
"""


@pytest.mark.parametrize(
    "style, code, verdict",
    [
        ("after", 0, "Level 2, exact: a trial that has paused ends as if it never had."),
        ("after --fault=forgets", 0, "Level 1, checkpoints: pauses, promotions, resuming after"),
        ("after --fault=silent", 1, "No level is reached. Missing: the program ended with exit"),
    ],
)
def test_it_ends_with_the_level(tmp_path: Path, style: str, code: int, verdict: str) -> None:
    file = tmp_path / "space.yaml"
    stated = {"folder": tmp_path, "python": sys.executable, "program": PROGRAM, "style": style}
    file.write_text(SPACE.format(**stated))
    result = CliRunner().invoke(app, ["check-trainer", str(file)])
    assert result.exit_code == code, result.output
    assert verdict in " ".join(result.output.split())


def test_the_program_has_the_gpus_of_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as `resources` says; on a machine with fewer it has those, which is told."""
    file = tmp_path / "space.yaml"
    told = "sh -c 'echo {num_gpus} of {gpus}, $CUDA_VISIBLE_DEVICES; exit {learning_rate}'"
    text = SPACE.format(folder=tmp_path, python="", program="", style="")
    command = next(line for line in text.splitlines() if line.startswith("  command:"))
    text = text.replace(command, f"  command: {told}") + "resources: {gpu: 2}\n"
    file.write_text(text)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("sweeper.commands.sweeping.this_machine", lambda: (Node(4, 0), 0))
    few = CliRunner().invoke(app, ["check-trainer", str(file)], catch_exceptions=False).output
    assert "note: a trial asks for 2 GPUs; it is checked with the 0 here" in few
    assert "0 of ," in few
    monkeypatch.setattr("sweeper.commands.sweeping.this_machine", lambda: (Node(4, 4), 0))
    result = CliRunner().invoke(app, ["check-trainer", str(file)])
    assert "2 of 0,1, 0,1" in result.output
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,6,7")
    assert "2 of 2,5, 2,5" in CliRunner().invoke(app, ["check-trainer", str(file)]).output


def test_a_sweep_of_trainable_has_no_program_to_check() -> None:
    result = CliRunner().invoke(app, ["check-trainer", "search_spaces/lr.yaml"])
    assert isinstance(result.exception, TrainerError)
    assert "lr.yaml: has no trainer" in str(result.exception)


@pytest.mark.parametrize("function", ["generator", "call"])
def test_a_function_of_python_is_checked_as_well(tmp_path: Path, function: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        f"trainer:\n  folder: {ROOT}\n"
        f"  function: tests.sweeper.runtime.trainers.functions:{function}\n"
        "  checkpoints: true\n  max_steps: 40\n  eval_every_steps: 10\n"
        "  settings: {learning_rate: {type: float, above: 0}}\n"
        "space: {learning_rate: {grid: [0.01, 0.1]}}\n"
    )
    result = CliRunner().invoke(app, ["check-trainer", str(file)])
    assert result.exit_code == 0, result.output
    assert "Level 2, exact" in result.output
