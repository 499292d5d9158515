"""What programs do wrong, each with a real one: one message, and never a hang."""

import errno
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import TrainerError
from sweeper.runtime.trainers import work_folder
from sweeper.runtime.trainers.command_trainer import CommandTrainer
from sweeper.runtime.trainers.faults import Order
from sweeper.runtime.trainers.job import HOOK_FOLDER
from sweeper.runtime.trainers.program import process
from sweeper.runtime.trainers.program.rows import Row
from tests.sweeper.runtime.trainers.jobs import job, losses, message

PRINTED = ["step {step:d}: val loss {val_loss:f}"]


@pytest.mark.parametrize(
    "fault, said",
    [
        ("backwards", "step 10 comes after step 13: steps must rise"),
        ("no step", 'no "step": metrics belong to a step'),
        ("word", "'step 20: val loss n/a': val_loss must be a number .* got 'n/a'"),
        ("ends", "ended with exit code 0 at step 13 of 40; its last lines:\n .*\n    iter 13"),
        ("fails", "ended with exit code 1 at step 13 .*\n    ValueError: the loss is not what it"),
        ("dies", r"was ended by SIGKILL \(out of memory\?\) at step 13 of 40"),
        ("asks", "ended with exit code 1 .*\n    EOFError: EOF when reading a line"),
        ("silent", "ended with exit code 0 before its first metrics .looked for 'step {step:d}: "),
        ("encoding", "before its first metrics .*\n.its output is not in UTF-8"),
        ("misses", "step 23 has come .train_loss., and no val_loss at step 20: is eval_every"),
        ("two values", "val_loss comes twice at step 20, as .* and .*: have one process say it"),
        ("leaves", "ended with exit code 0 .*, and left python.* at work, which was ended"),
    ],
)
def test_a_fault_of_the_program_is_one_message(tmp_path: Path, fault: str, said: str) -> None:
    logs = [] if fault in ("silent", "encoding") else ["iter {step:d}: loss {train_loss:f}"]
    trainer = CommandTrainer(job(tmp_path, fault=fault, stdout=(*PRINTED, *logs)))
    assert re.search(said, message(trainer), re.DOTALL)


def test_a_program_that_goes_a_step_too_far(tmp_path: Path) -> None:
    order = Order(job(tmp_path))
    for step in (10, 20, 30, 40):
        assert order.admits(Row(step, {"val_loss": 1.0}))
    assert order.admits(Row(41, {"train_loss": 1.0}))
    assert order.admits(Row(60, {"val_loss": 1.0}))


def test_only_the_time_in_which_somebody_listens_is_silence(tmp_path: Path) -> None:
    """A suspended driver finds that hours have passed, and ends no program for that."""
    trainer = CommandTrainer(job(tmp_path, silent_s=60.0))
    losses(trainer, until=10)
    assert trainer.process is not None
    silence = trainer._silence
    for _ in range(59):
        silence.watched(3600.0, heard=False)
    silence.require_metrics(trainer.process, has_spoken=True)
    silence.watched(3600.0, heard=False)
    with pytest.raises(TrainerError, match=r"for 60 s \(trial_timeout_s\): .* or set it to null;"):
        silence.require_metrics(trainer.process, has_spoken=True)
    silence.watched(3600.0, heard=True)
    silence.require_metrics(trainer.process, has_spoken=True)
    trainer.close()


@pytest.mark.parametrize("oddity", ["twice", "removes"])
def test_what_is_odd_and_no_fault(tmp_path: Path, oddity: str) -> None:
    straight = losses(CommandTrainer(job(tmp_path / "plain")))
    said = [row for row in CommandTrainer(job(tmp_path / "odd", fault=oddity)).train() if row]
    assert [(row.step, row.val_loss) for row in said] == list(straight.items())


def test_a_program_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    text = message(CommandTrainer(job(tmp_path, fault="hangs", silent_s=1.0)))
    assert "nothing was heard of it for 1 s (trial_timeout_s): have it print more often" in text


def test_two_checkpoints_of_one_step_are_told(tmp_path: Path) -> None:
    trainer = CommandTrainer(job(tmp_path, "pattern"))
    losses(trainer, until=10)
    (tmp_path / "work" / "ckpt-10.json").write_text("")
    (tmp_path / "work" / "ckpt-0010.json").write_text("")
    with pytest.raises(TrainerError, match=r"ckpt-.* and .*ckpt-.* are both of step 10"):
        trainer.save(tmp_path / "checkpoint_000001" / "checkpoint.pt")
    trainer.close()


def test_a_loss_that_is_no_number_is_a_divergence(tmp_path: Path) -> None:
    said = [row for row in CommandTrainer(job(tmp_path, fault="nan")).train() if row is not None]
    assert [(row.step, row.diverged) for row in said] == [(10, False), (20, True)]


@pytest.mark.parametrize(
    "limit, said",
    [
        ({"first_metric_s": 1.0}, "no metrics after 1 s"),
        ({"first_metric_lines": 3}, "no metrics after [345] lines"),
    ],
)
def test_a_program_that_never_says_a_metric_is_not_waited_for(
    tmp_path: Path, limit: dict[str, Any], said: str
) -> None:
    talks = job(tmp_path, fault="silent", more=" --max_steps=4000000", **limit)
    text = message(CommandTrainer(talks))
    assert re.search(said, text)
    assert "looked for 'step {step:d}: val loss {val_loss:f}'" in text
    assert "all is well" in text or limit == {"first_metric_s": 1.0}


@pytest.mark.parametrize(
    "command, said",
    [
        ("no-such-program {trial_dir}", "'no-such-program' cannot be found"),
        ("{trial_dir}/../script.py", "script.py' is not executable: chmod"),
        ("{trial_dir}/../garbage", "garbage' is nothing that the system can run"),
        ("python {learningrate}", "{learningrate} is no setting; did you mean 'learning_rate'"),
        ("python '{trial_dir}", "No closing quotation"),
        ("python {0}", "{0} is no name"),
    ],
)
def test_a_command_that_cannot_be_run(tmp_path: Path, command: str, said: str) -> None:
    (tmp_path / "script.py").write_text("print('step 1')")
    (tmp_path / "garbage").write_text("")
    (tmp_path / "garbage").chmod(0o755)
    assert said in message(CommandTrainer(job(tmp_path, command=command)))


def test_a_keeper_that_is_killed_before_its_first_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "killed.py"
    script.write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setattr(process.keeper, "__file__", str(script))
    assert "was killed before it began (out of memory?)" in message(CommandTrainer(job(tmp_path)))


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(work_folder.fcntl, "flock", without)
    assert "work: files cannot be locked there (No locks available)" in message(
        CommandTrainer(job(tmp_path))
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    away = tmp_path / "away"
    assert f"trainer.folder: {away}: no program" in message(
        CommandTrainer(replace(job(tmp_path), folder=away))
    )


def test_a_program_that_is_deaf_to_its_signal_is_killed(tmp_path: Path) -> None:
    trainer = CommandTrainer(job(tmp_path, fault="deaf", grace_s=0.5))
    losses(trainer, until=10)
    program = trainer.process
    assert program is not None
    trainer.close()
    assert program.exit_code == -9
    assert not Path(f"/proc/{program.pid}").exists()


@pytest.mark.parametrize("fault", ["child", "daemon"])
def test_what_a_program_leaves_behind_is_ended(
    tmp_path: Path, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    trainer = CommandTrainer(job(tmp_path, fault=fault))
    assert list(losses(trainer)) == [10, 20, 30, 40]
    trainer.save(tmp_path / "checkpoint_000001" / "checkpoint.pt")
    trainer.close()
    assert "left behind when it ended, and killed: sleep" in capfd.readouterr().err
    assert not running("sleep", "1000", str(os.getpid()))


def running(*words: str) -> list[str]:
    """The command lines that have these words; of processes of this test."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode()
            environment = entry.with_name("environ").read_bytes()
        except OSError:
            continue
        if words[0] in text and words[-1].encode() in environment:
            found.append(text)
    return found


def test_what_stands_in_env_beats_what_is_usual_and_not_what_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPER_RESUME_FROM", "that of a sweep outside")
    monkeypatch.setenv("OUTER", "outer")
    monkeypatch.setenv("PYTHONPATH", "outer")
    stated = {"OMP_NUM_THREADS": "3", "PYTHONPATH": "mine", "SWEEPER_METRICS": "mine"}
    trial = job(tmp_path, num_threads=1, variables=stated)
    environment = trial.environment(None)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["OUTER"] == "outer"
    assert environment["PYTHONPATH"] == f"{HOOK_FOLDER}{os.pathsep}mine"
    assert environment["SWEEPER_METRICS"] == str(trial.metrics_file)
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert "SWEEPER_RESUME_FROM" not in environment


def test_a_program_that_begins_anew_is_found_out(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint_000001" / "checkpoint.pt"
    trainer = CommandTrainer(job(tmp_path, fault="begins anew"))
    losses(trainer, until=20)
    trainer.save(kept)
    trainer.close()
    again = CommandTrainer(job(tmp_path, fault="begins anew"), resume_from=kept)
    assert "was to go on from step 20, and is at step 0" in message(again)


def test_a_checkpoint_that_is_taken_for_an_earlier_step_is_found_out(tmp_path: Path) -> None:
    """It is written before the metrics of its step, and said to be written after."""
    kept = tmp_path / "checkpoint_000001" / "checkpoint.pt"
    trainer = CommandTrainer(job(tmp_path, "before", written="after"))
    losses(trainer, until=20)
    assert trainer.save(kept) in (10, 20)
    trainer.close()
    again = CommandTrainer(job(tmp_path, "before", written="after"), resume_from=kept)
    if again.step == 10:
        assert "is its checkpoint written after the metrics of its step?" in message(again)


def test_evaluations_that_come_less_often_than_is_said(tmp_path: Path) -> None:
    trainer = CommandTrainer(job(tmp_path, eval_every_steps=5))
    assert "val_loss comes at step 10, and none came at step 5" in message(trainer)


def test_gigabytes_of_output_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10 << 20)
    trainer = CommandTrainer(job(tmp_path, fault="floods"))
    assert "output.log: the program has printed more than 10 MB" in message(trainer)
    assert (tmp_path / "output.log").stat().st_size < 11 << 20


SWEEPER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from tests.sweeper.runtime.trainers.jobs import job, losses
from sweeper.runtime.trainers.command_trainer import CommandTrainer
trainer = CommandTrainer(job(Path(sys.argv[1]), fault="daemon", more=" --max_steps=4000000"))
for metrics in trainer.train():
    if metrics is not None and metrics.step == 20:
        print(trainer.process.pid, flush=True)
        time.sleep(1000)
"""


def test_a_program_ends_with_the_actor_that_is_killed(tmp_path: Path) -> None:
    """Itself, and what it has started in a session of its own."""
    root = Path(__file__).parents[4]
    actor = subprocess.Popen(
        [sys.executable, "-c", SWEEPER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert actor.stdout is not None
    pid = int(actor.stdout.readline())
    assert running("sleep", str(tmp_path))
    actor.kill()
    actor.wait()
    while Path(f"/proc/{pid}").exists() or running("sleep", str(tmp_path)):
        pass  # as long as the test may take
    actor.stdout.close()


def test_it_is_held_while_the_sweep_decides(tmp_path: Path) -> None:
    trainer = CommandTrainer(job(tmp_path))
    losses(trainer, until=10)
    assert trainer.process is not None
    stat = Path(f"/proc/{trainer.process.pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)  # between two looks: a signal takes effect when it has a core
    trainer.process.lines(0.0)  # what it had printed by then
    assert trainer.process.lines(0.1) == []
    trainer.close()
