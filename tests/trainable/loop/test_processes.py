"""Several processes that share a run: the numbers of one, and none that is left behind or waits for
ever. Real processes, a few of them: each takes seconds to import torch."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from tests.sweeper.waiting import wait_until
from tests.trainable.program_runs import flags
from trainable.command_line.output_folder import OutputFolder
from trainable.config import TrainConfig
from trainable.errors import ConfigError, ProcessesDifferError, ProcessLostError
from trainable.followers.leader import Followers, start_trainer
from trainable.loop import processes
from trainable.loop.evaluation import mean_loss
from trainable.loop.processes import Processes, Together, _grouped
from trainable.loop.training import Trainer
from trainable.weights.checkpoint import read_checkpoint

MakeConfig = Callable[..., TrainConfig]
# All that a step and an evaluation are made of.
EVERYTHING = {"optimizer": "muon", "ema_steps": 3, "z_loss": 1e-4, "tie_embeddings": True}


@contextmanager
def together(
    config: TrainConfig, number: int, *, micro_batch_size: int, resume_from: Path | None = None
) -> Iterator[Trainer]:
    trainer = start_trainer(
        config,
        processes=number,
        resume_from=resume_from,
        num_threads=1,
        micro_batch_size=micro_batch_size,
    )
    try:
        yield trainer
    finally:
        trainer.close()


def measured(trainer: Trainer, steps: int) -> list[dict[str, Any]]:
    """What it says in so many steps, but for the times."""
    said = [metrics for _, metrics in zip(range(steps), trainer.train(), strict=False)]
    rows = [metrics.to_dict() for metrics in said if metrics is not None]
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


def state(path: Path) -> list[Any]:
    saved = vars(read_checkpoint(path)) | {"train_seconds": 0}
    leaves = torch.utils._pytree.tree_leaves(saved)
    return [leaf.tolist() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]


def test_two_processes_train_as_one_does_to_the_last_bit(tiny: MakeConfig, tmp_path: Path) -> None:
    """Where it has the gradients of the same halves to add up. So the checkpoints are the same
    files, from which either goes on."""
    config = tiny(**EVERYTHING)
    one = Trainer(config, micro_batch_size=2)
    begins = measured(one, 4)
    one.save(tmp_path / "one.pt")
    ends = measured(one, 4)
    with together(config, 2, micro_batch_size=2) as two:
        assert measured(two, 4) == begins
        two.save(tmp_path / "two.pt")
    assert state(tmp_path / "two.pt") == state(tmp_path / "one.pt")
    assert measured(Trainer(config, resume_from=tmp_path / "two.pt"), 4) == ends
    with together(config, 2, micro_batch_size=2, resume_from=tmp_path / "one.pt") as two:
        assert measured(two, 4) == ends


@pytest.mark.slow
def test_of_three_processes_the_sums_round_otherwise_but_always_alike(
    tiny: MakeConfig, tmp_path: Path
) -> None:
    config = tiny(batch_size=6, eval_windows=7)
    one = measured(Trainer(config, micro_batch_size=6), 8)
    with together(config, 3, micro_batch_size=6) as three:
        begins = measured(three, 4)
        three.save(tmp_path / "three.pt")
        ends = measured(three, 4)
    for here, there in zip([*begins, *ends], one, strict=True):
        for name in {"train_loss", "val_loss", "grad_norm", "max_logit"} & there.keys():
            assert there[name] is None or here[name] == pytest.approx(there[name], rel=1e-6)
    with together(config, 3, micro_batch_size=6, resume_from=tmp_path / "three.pt") as three:
        assert measured(three, 4) == ends


def test_a_process_that_is_killed_is_noticed_and_named(tiny: MakeConfig) -> None:
    with together(tiny(max_steps=1000), 2, micro_batch_size=4) as two:
        steps = two.train()
        next(steps)
        assert isinstance(two.processes, Followers)
        (follower,) = two.processes._processes
        follower.kill()
        with pytest.raises(ProcessLostError, match=r"process 2 of 2 has ended \(killed by SIGKILL"):
            list(steps)
    assert not dist.is_initialized()  # so this one can lead again


@pytest.mark.slow
def test_a_process_that_stands_still_is_not_waited_for_without_end(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SILENT", processes.timedelta(seconds=20))
    monkeypatch.setattr("trainable.followers.leader.NOTICED_SECONDS", 0.1)
    with together(tiny(max_steps=1000), 2, micro_batch_size=4) as two:
        steps = two.train()
        next(steps)
        monkeypatch.undo()
        assert isinstance(two.processes, Followers)
        (follower,) = two.processes._processes
        follower.send_signal(signal.SIGSTOP)
        with pytest.raises(ProcessLostError, match="one of the 2 processes of the run is lost"):
            list(steps)


def test_what_a_process_cannot_do_is_said_by_the_one_that_leads(
    tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "trainable.py").touch()  # which is found first, and is no package
    monkeypatch.setattr("trainable.followers.leader.PACKAGES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProcessLostError, match=r"process 2 of 2 has ended \(exit code 1\)"):
        start_trainer(tiny(), processes=2, num_threads=1)


def test_a_process_that_ends_before_all_have_met_is_not_waited_for() -> None:
    followers = Followers(2)
    ready = ["sh", "-c", "echo ready; exit 3"]
    with subprocess.Popen(ready, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.wait()
        followers._processes = [process]
        with pytest.raises(ProcessLostError, match=r"process 2 of 2 has ended \(exit code 3\)$"):
            followers.meet(torch.device("cpu"))
    followers._processes = []
    followers.close()


def test_a_refusal_by_another_process_is_told_in_its_words(
    tiny: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token id that only its rows hold; in a folder whose name a URL would write otherwise."""
    folder = tmp_path / "für alle"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    file = tmp_path / "train.npy"
    tokens = np.load(str(tiny().train_data))
    np.save(file, tokens)
    with together(tiny(max_steps=1000, train_data=str(file)), 2, micro_batch_size=4) as two:
        assert two.micro_batch_size == 2  # of the four that were asked for: all its rows
        windows = two.data.batches.take(1)
        monkeypatch.setattr(two.data.batches, "take", lambda step: windows)
        np.lib.format.open_memmap(file, mode="r+")[:] = 255
        message = r"process 2 of 2 has ended \(exit code 2\): .*holds a token id of 255, outside"
        with pytest.raises(ProcessLostError, match=message):
            list(two.train())


@pytest.mark.parametrize(
    ("here", "message"),
    [
        ({"step": 4}, "first process goes on from step 4, process 2 of 2 from step 8; name the"),
        ({"step": 8, "seed": 1}, "process 2 of 2 has other settings than the first"),
        ({"step": 8}, None),
    ],
)
def test_processes_begin_at_one_step_with_one_config(
    here: dict[str, int], message: str | None, tiny: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchrun's may not on machines that see a folder at different times."""
    told: list[torch.Tensor] = []

    def gather(of_all: list[torch.Tensor], mine: torch.Tensor, group: None) -> None:
        told.append(mine)
        for place, there in zip(of_all, [told[-1], told[0]], strict=True):
            place.copy_(there)

    monkeypatch.setattr(dist, "all_gather", gather)
    first = Together(0, 2)
    first._sums = None
    first.agree(tiny(), 8)
    step = here.pop("step")
    if message is None:
        first.agree(tiny(**here), step)
    else:
        with pytest.raises(ProcessesDifferError, match=message):
            first.agree(tiny(**here), step)


def test_a_batch_that_cannot_be_divided_is_refused(tiny: MakeConfig) -> None:
    message = "batch_size: must be a multiple of 3, the processes that share a batch, got 4"
    with pytest.raises(ConfigError, match=message):
        start_trainer(tiny(), processes=3)


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid for child in children if is_alive(pid := int(child))]


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_leads(
    tiny: MakeConfig, tmp_path: Path, number: signal.Signals
) -> None:
    endless = tiny(max_steps=10**6, log_every_steps=1, eval_every_steps=10**6)
    command = [sys.executable, "-m", "trainable", *flags(endless), "--processes", "2"]
    leader = subprocess.Popen(
        [*command, "--output_dir", str(tmp_path), "--num_threads", "1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "metrics.jsonl"
    wait_until(leader, lambda: metrics.exists() and metrics.stat().st_size > 0)
    (follower,) = children_of(leader.pid)
    leader.send_signal(number)
    shown, _ = leader.communicate()
    assert leader.returncode == (130 if number == signal.SIGTERM else -number)
    assert ("--processes 2" in shown.splitlines()[-1]) == (number == signal.SIGTERM)
    with subprocess.Popen(["sleep", "60"]) as patience:
        wait_until(patience, lambda: not is_alive(follower))
        patience.kill()


@pytest.mark.slow
def test_torchrun_starts_them_too(tiny: MakeConfig, tmp_path: Path) -> None:
    """They end as one: at the last step, and by a signal with a checkpoint."""
    base = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "-m", "trainable"]
    config = tiny(**EVERYTHING)
    out = tmp_path / "out"
    told = [*flags(config), "--micro_batch_size", "2", "--output_dir", str(out)]
    subprocess.run([*base, *told], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    rows = OutputFolder(out).read_metrics()
    rows = [{k: v for k, v in row.items() if "second" not in k} for row in rows]
    assert rows == measured(Trainer(config, micro_batch_size=2), 8)

    more = ["--resume_from", str(out), "--max_steps", "1000000", "--log_every_steps", "1"]
    agent = subprocess.Popen([*base, *more], env={**os.environ, "OMP_NUM_THREADS": "1"})
    wait_until(agent, lambda: OutputFolder(out).last_step > 8)
    workers = children_of(agent.pid)
    agent.send_signal(signal.SIGTERM)
    agent.wait()
    assert len(workers) == 2 and not any(map(is_alive, workers))
    assert OutputFolder(out).checkpoint_steps()[0] == OutputFolder(out).last_step


def test_gradients_are_added_up_in_groups_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GROUP_BYTES", 4 * 10)
    sizes = [
        [t.numel() for t in group] for group in _grouped(list(map(torch.ones, [4, 5, 2, 30, 1])))
    ]
    assert sizes == [[4, 5], [2], [30], [1]]


class Turn(Processes):
    """One of several, of which nobody adds anything up."""

    def add_up(self, tensors: Any) -> None: ...


def test_windows_are_taken_in_turns_none_twice() -> None:
    windows = torch.arange(7.0)[:, None]
    whole = mean_loss(torch.mean, windows, at_once=3, processes=Processes())
    parts = [mean_loss(torch.mean, windows, at_once=3, processes=Turn(rank, 2)) for rank in (0, 1)]
    assert whole == 3.0 == sum(parts)
