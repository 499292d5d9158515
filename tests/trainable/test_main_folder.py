"""The folder of a run of `python -m trainable`: of one run, never by two, and never set back."""

import json
from pathlib import Path

import pytest

from tests.trainable.program_runs import MakeConfig, contents, flags, steps
from trainable.__main__ import main
from trainable.command_line.output_folder import OutputFolder
from trainable.loop.training import Trainer


@pytest.mark.parametrize("held", ["checkpoints", "final", "metrics"])
def test_another_runs_folder_is_not_written(
    tiny: MakeConfig, tmp_path: Path, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    for folder in (out, other):
        interval = "3" if held == "checkpoints" or folder == other else "100"
        words = [*flags(tiny()), "--output_dir", str(folder), "--checkpoint_every_steps", interval]
        assert main(words) == 0
    if held != "final":
        (out / "final_checkpoint.pt").unlink()
    before = contents(out)
    remedy = "" if held == "metrics" else f", or go on with that run: --resume_from {out}"
    message = f"output_dir: {out} holds another run, which is not overwritten; name another "
    fork = ["--resume_from", str(other / "checkpoint_step_3.pt")]
    for asked in (flags(tiny(seed=1)), fork):
        capsys.readouterr()
        assert main([*asked, "--output_dir", str(out)]) == 2
        assert capsys.readouterr().err == f"error: {message}--output_dir{remedy}\n"
        assert contents(out) == before


def test_the_guides_loop_keeps_every_run(
    tiny: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for learning_rate in ("1e-2", "2e-2", "5e-2"):
        assert main([*flags(tiny()), "--learning_rate", learning_rate]) == 0
    assert "checkpoints holds another run; this one is in checkpoints-3" in capsys.readouterr().out
    rates = {
        path.name: json.loads((path / "config.json").read_text())["learning_rate"]
        for path in tmp_path.iterdir()
    }
    assert rates == {"checkpoints": 1e-2, "checkpoints-2": 2e-2, "checkpoints-3": 5e-2}
    # The guide's resume goes on in the checkpoint's folder, whichever that is.
    for folder in ("checkpoints-2", "checkpoints"):
        assert main(["--resume_from", f"{folder}/final_checkpoint.pt", "--max_steps", "9"]) == 0
        assert steps(tmp_path / folder)[-1] == 9
    assert steps(tmp_path / "checkpoints-3")[-1] == 8
    assert len(list(tmp_path.iterdir())) == 3


def test_a_checkpoint_of_another_program_gets_a_folder_of_its_own(
    tiny: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trainer = Trainer(tiny(max_steps=3))
    list(trainer.train())
    (tmp_path / "trial").mkdir()
    trainer.save(tmp_path / "trial" / "checkpoint.pt")
    for _ in range(2):
        assert main(["--resume_from", "trial/checkpoint.pt", "--max_steps", "5"]) == 0
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["checkpoint.pt"]
    assert steps(tmp_path / "checkpoints-2") == [4, 5]


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("name", ["checkpoint_step_6.pt", "final_checkpoint.pt"])
def test_a_run_does_not_end_before_its_checkpoint(
    tiny: MakeConfig,
    tmp_path: Path,
    name: str,
    elsewhere: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main([*flags(tiny(checkpoint_every_steps=3)), "--output_dir", str(out)]) == 0
    before = contents(out)
    words = ["--resume_from", str(out / name), "--max_steps", "5"]
    if elsewhere:
        words += ["--output_dir", str(tmp_path / "new")]
    assert main(words) == 2
    step = 6 if elsewhere and name == "checkpoint_step_6.pt" else 8
    assert f"max_steps: must be at least {step}, the step " in capsys.readouterr().err
    assert contents(out) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("left", ["metrics.jsonl", "checkpoint_step_6.pt", "final_checkpoint.pt"])
def test_a_run_does_not_end_before_what_is_in_its_folder(
    tiny: MakeConfig, tmp_path: Path, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever of the later steps is there would be overwritten by an earlier state."""
    config = tiny(checkpoint_every_steps=3)
    assert main([*flags(config), "--output_dir", str(tmp_path)]) == 0
    for path in tmp_path.iterdir():
        if path.name not in (left, "checkpoint_step_3.pt"):
            path.unlink()
    before = contents(tmp_path)
    resume = ["--resume_from", str(tmp_path / "checkpoint_step_3.pt"), "--max_steps"]
    assert main([*resume, "5"]) == 2
    there = 6 if left == "checkpoint_step_6.pt" else 8
    shown = capsys.readouterr().err
    assert f"max_steps: must be at least {there}, the step to which {tmp_path} holds" in shown
    assert contents(tmp_path) == before
    assert main([*resume, "8"]) == 0


def test_two_runs_at_once_do_not_share_a_folder(
    tiny: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = [*flags(tiny()), "--checkpoint_every_steps", "3"]
    with OutputFolder(Path("checkpoints")).locked():  # a run that has written nothing yet
        assert main(trained) == 0
        assert main([*trained, "--output_dir", "./checkpoints"]) == 2
        assert "another run is at work in checkpoints; name another" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "checkpoints-2"]
    assert not list(Path("checkpoints").iterdir())
    with OutputFolder(Path("checkpoints-2")).locked():
        before = contents(Path("checkpoints-2"))
        assert main(["--resume_from", "checkpoints-2", "--max_steps", "9"]) == 2
        assert contents(Path("checkpoints-2")) == before


@pytest.mark.parametrize("line", ["[1]", "{", '{"val_loss": 1.0}', '{"step": "8"}', "\xff"])
def test_damaged_metrics_are_told_by_line_and_kept(
    tiny: MakeConfig, tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags(tiny()), "--output_dir", str(tmp_path)]) == 0
    file = tmp_path / "metrics.jsonl"
    first, *others = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + line.encode("latin-1") + b"\n" + b"".join(others))
    before = contents(tmp_path)
    assert main(["--resume_from", str(tmp_path), "--max_steps", "10"]) == 2
    assert f"{file}: line 2 is damaged: " in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_a_message(
    tiny: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([*flags(tiny()), "--output_dir", str(tmp_path / "file" / "out")]) == 2
    assert "file/out" in capsys.readouterr().err
