"""How fast this machine trains a plan's shapes: a few seconds of the real training loop each.

The driver imports no torch. It keeps a worker process for each slot and has all of them train the
same shape at once, since trials that run at the same time slow each other down. Nothing is left on
disk.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.corpus.builtin import DEFAULT_CORPUS, ROOT, prepare_default
from sweeper.corpus.folder import CorpusFolder
from sweeper.plan.cost.shapes import Machine, Shape, Speed
from sweeper.plan.placement import Node, Share
from sweeper.plan.plan import data_folder
from sweeper.spec.domains.values import as_written
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec
from trainable.config import TrainConfig
from trainable.errors import ProcessLostError, UserError
from trainable.loop.memory import available_memory

if TYPE_CHECKING:
    from trainable.loop.training import Trainer

MAX_SHAPES = 8  # measured; the others are reckoned from the nearest
TRAIN_SECONDS = 2.0  # a shape, after the first steps
WARM_UP_STEPS = 3
WAIT_SECONDS = 60.0  # for one shape, the start of the workers included
STAND_IN_TOKENS = 1_000_000
STAND_IN_VOCAB_SIZE = 256  # of the built-in corpus, whose tokens are bytes
NEVER = 10**9  # steps
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, Windows' Linux


@contextmanager
def data_to_look_at(spec: SweepSpec, source: YamlSource) -> Iterator[Path | None]:
    """The folder that the sweep would train on. If that is the built-in corpus and it has not been
    prepared (only a real run does that), a temporary one with random tokens."""
    if not spec.is_ours:
        yield None  # another trainer has its own
    elif spec.data is not None:
        yield data_folder(spec.data, source)
    elif CorpusFolder(ROOT / DEFAULT_CORPUS).meta.exists():
        yield prepare_default().resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="sweeper-") as folder:
            stand_in = CorpusFolder(Path(folder))
            rng = np.random.default_rng(0)
            for path in (stand_in.train, stand_in.val):
                tokens = rng.integers(0, STAND_IN_VOCAB_SIZE, STAND_IN_TOKENS, dtype=np.uint8)
                np.save(path, tokens)
            meta = {"vocab_size": STAND_IN_VOCAB_SIZE, "bytes_per_token": 1.0}
            stand_in.meta.write_text(json.dumps(meta), encoding="utf-8")
            yield stand_in.path


def this_machine() -> tuple[Node, int]:
    """This machine as a node, and the bytes of memory that are free for training, without Ray. If
    there may be GPUs, torch is asked about them in another process."""
    cpus, free = os.cpu_count() or 1, available_memory()
    if not any(map(os.path.exists, GPU_DEVICES)):
        return Node(cpus, 0), free
    gpus, free_on_gpu = _gpus()
    return Node(cpus, gpus), free_on_gpu if gpus else free


def _gpus() -> tuple[int, int]:
    """The number of GPUs, and the bytes that are free on the first."""
    program = (
        "import torch; n = torch.cuda.device_count(); "
        "print(n, torch.cuda.mem_get_info(0)[0] if n else 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", errors="replace"
    )
    count, free = answer.stdout.split() if answer.returncode == 0 else ("0", "0")
    return int(count), int(free)


def load_of_others(cpus: float) -> float | None:
    """The processes that wanted a core in the last minute, on average, before anything is measured;
    None if they leave more than half of this machine's cores alone."""
    load = os.getloadavg()[0]
    return load if load > cpus / 2 else None


def measure_speeds(
    shapes: Mapping[Shape, TrainConfig],
    machine: Machine,
    share: Share,
    *,
    num_trials: int,
    train_seconds: float = TRAIN_SECONDS,
) -> dict[Shape, Speed]:
    """The speed of one trial of each shape while all slots train it.

    A shape is missing if it does not fit into memory, or if a step takes longer than anyone would
    wait.

    Raises:
        UserError: the training loop refuses a config.
    """
    chosen = [s for s, config in shapes.items() if _may_fit(config, machine, share)][:MAX_SHAPES]
    speeds: dict[Shape, Speed] = {}
    number = min(machine.slots, num_trials)
    with (
        _workers(number, share, train_seconds) as workers,
        ThreadPoolExecutor(number) as pool,
    ):
        for shape in chosen:
            config = shapes[shape].to_dict()
            asked = [pool.submit(_ask, worker, config) for worker in workers]
            try:
                answers = [one.result(timeout=WAIT_SECONDS) for one in asked]
            except TimeoutError:
                _kill(workers)  # which ends the pool's waiting, too
                break
            if None not in answers:
                speeds[shape] = _mean(answer for answer in answers if answer is not None)
    return speeds


def _may_fit(config: TrainConfig, machine: Machine, share: Share) -> bool:
    needed = share.memory(config, at_once=1)
    return machine.free_memory is None or needed <= machine.free_memory


def _mean(answers: Iterable[dict[str, float]]) -> Speed:
    of_each = list(answers)
    return Speed(
        tokens_per_second=sum(a["tokens_per_second"] for a in of_each) / len(of_each),
        evaluation_seconds=sum(a["evaluation_seconds"] for a in of_each) / len(of_each),
    )


Worker = subprocess.Popen[str]


@contextmanager
def _workers(number: int, share: Share, train_seconds: float) -> Iterator[list[Worker]]:
    command = [
        sys.executable,
        "-m",
        "sweeper.plan.cost.probe",
        str(share.processes),
        str(share.num_threads),
        str(train_seconds),
    ]
    workers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=os.environ | _as_in_a_slot(slot, share),
        )
        for slot in range(number)
    ]
    try:
        yield workers
    finally:
        _kill(workers)
        for worker in workers:
            worker.communicate()


def _as_in_a_slot(slot: int, share: Share) -> dict[str, str]:
    """The environment that Ray gives to the process of a trial: its GPUs, and its threads."""
    number = int(share.gpu)
    if 0 < share.gpu < 1:
        first, number = slot // int(1 // as_written(share.gpu)), 1
    else:
        first = slot * number
    mine = range(first, first + number)
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, mine)),
        "OMP_NUM_THREADS": str(share.num_threads),
    }


def _kill(workers: list[Worker]) -> None:
    for worker in workers:
        worker.kill()


def _ask(worker: Worker, config: dict[str, Any]) -> dict[str, float] | None:
    """What a worker measures; None if it ends without an answer, as when memory runs out.

    Raises:
        UserError: the training loop refuses the config.
    """
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(config) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    line = worker.stdout.readline()
    if not line:
        return None
    answer: dict[str, Any] = json.loads(line)
    if "refused" in answer:
        raise UserError(answer["refused"])
    return answer


def main() -> None:
    """A worker: for each config on standard input it prints a line with the speed."""
    processes, num_threads, train_seconds = *map(int, sys.argv[1:3]), float(sys.argv[3])
    from trainable.followers.leader import start_trainer

    for line in sys.stdin:
        config = only_training(TrainConfig.from_mapping(json.loads(line)))
        try:
            trainer = start_trainer(config, processes=processes, num_threads=num_threads)
            try:
                answer = asdict(measure(trainer, train_seconds))
            finally:
                trainer.close()
        except ProcessLostError:  # as when memory has run out
            return
        except UserError as error:
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)


def only_training(config: TrainConfig) -> TrainConfig:
    """A config that does the same work in each step, but has no end, no evaluation and no reason to
    give up."""
    return replace(
        config,
        max_steps=NEVER,
        eval_every_steps=NEVER,
        max_skipped_steps=NEVER,
        init_from=None,
    )


def measure(trainer: "Trainer", seconds: float) -> Speed:
    """Train for this long, but at least one step, and then evaluate once."""
    steps = trainer.train()
    for _ in range(WARM_UP_STEPS):
        next(steps)
    _wait_for_device(trainer)
    started, tokens_before = time.perf_counter(), trainer.tokens
    for _ in steps:
        if time.perf_counter() - started >= seconds:
            break
    _wait_for_device(trainer)
    elapsed, tokens = time.perf_counter() - started, trainer.tokens - tokens_before
    started = time.perf_counter()
    trainer.validate()
    return Speed(
        tokens_per_second=tokens / elapsed, evaluation_seconds=time.perf_counter() - started
    )


def _wait_for_device(trainer: "Trainer") -> None:
    """Wait until a GPU has done what it was given; the program that gives it work runs ahead."""
    if trainer.device.type == "cuda":
        import torch

        torch.cuda.synchronize(trainer.device)


if __name__ == "__main__":
    main()
