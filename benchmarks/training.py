"""How fast and how frugal is `trainable`, beside `transformers`' Llama in the loop one would write?

    python benchmarks/training.py                   # the CPU shapes, each side in its best mode
    python benchmarks/training.py --parts           # what each part beyond the guide costs
    python benchmarks/training.py --nanogpt PATH    # beside nanoGPT, whose model.py is at PATH
    python benchmarks/training.py --device cuda     # the guide's large model, and its share of peak

Both sides train in one process, in turns, at the same shape, threads and precision; a ratio is the
median over the turns, so that a busy machine slows both. Peak memory is that of a process each.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch

from benchmarks.training_loops import (
    Steps,
    make_config,
    nanogpt_loop,
    ours,
    plain_loop,
    seconds_a_step,
    threads,
)
from trainable.model.model_size import flops_per_token, num_params

GUIDE_SMALL = {"d_model": 128, "num_heads": 4, "d_ff": 512, "num_layers": 2, "vocab_size": 32000}
SHAPES = {
    "characters": {
        **GUIDE_SMALL,
        "num_layers": 4,
        "vocab_size": 256,
        "context_length": 64,
        "batch_size": 12,
    },
    "small, context 128": {**GUIDE_SMALL, "context_length": 128, "batch_size": 16},
    "small, context 1024": {**GUIDE_SMALL, "context_length": 1024, "batch_size": 8},
}
GUIDE_LARGE = {
    "d_model": 1024,
    "num_heads": 16,
    "d_ff": 4096,
    "num_layers": 12,
    "vocab_size": 32000,
    "context_length": 1024,
    "batch_size": 64,
}
# Tied as nanoGPT's are, and as many parameters in a block: 4 d^2 + 3 d d_ff of 12 d^2.
LIKE_NANOGPT = {**SHAPES["characters"], "d_ff": 344, "tie_embeddings": True}
PARTS: dict[str, dict[str, object]] = {
    "as the guide has it": {},
    "wsd": {"schedule": "wsd"},
    "average of the weights": {"ema_steps": 1000},
    "mup": {"parametrisation": "mup", "base_width": 64},
    "completep": {"parametrisation": "completep", "base_width": 64, "base_depth": 2},
    "z-loss": {"z_loss": 1e-4},
    "QK-norm": {"qk_norm": True},
    "2 heads of keys and values": {"num_kv_heads": 2},
    "tied embeddings": {"tie_embeddings": True},
    "documents apart": {"separate_documents": True},
    "muon": {"optimizer": "muon"},
}
MODES = [("float32", False), ("bfloat16", False), ("float32", True), ("bfloat16", True)]
SIDES = {"transformers": plain_loop, "trainable": ours}


def compare(
    folder: Path,
    shape: dict[str, int],
    *,
    num_threads: int,
    turns: int,
    modes: list[tuple[str, bool]],
) -> float:
    """Print tokens/s of every mode of both sides, and the ratio of the best of each.

    Returns:
        Seconds of our fastest step.
    """
    with threads(num_threads):
        runs: dict[tuple[str, str, bool], Steps] = {}
        for dtype, compile in modes:
            config = make_config(folder, shape, dtype=dtype, compile=compile, device="cpu")
            for side, start in SIDES.items():
                runs[side, dtype, compile] = start(config)
        first = {key: (steps(2), seconds_a_step(steps, 1))[1] for key, steps in runs.items()}
        count = max(1, round(1.0 / min(first.values())))
        taken: dict[tuple[str, str, bool], list[float]] = {key: [] for key in runs}
        for _ in range(turns):
            for key, steps in runs.items():
                taken[key].append(seconds_a_step(steps, count))
    tokens = shape["batch_size"] * shape["context_length"]
    best = {}
    for key, values in taken.items():
        side, dtype, compile = key
        speed = tokens / statistics.median(values)
        print(
            f"    {side:13} {dtype:9} {'compiled' if compile else 'eager':9} {speed:9,.0f} tokens/s"
        )
        if side not in best or speed > best[side][0]:
            best[side] = (speed, values)
    pairs = zip(best["transformers"][1], best["trainable"][1], strict=True)
    ratio = statistics.median(theirs / mine for theirs, mine in pairs)
    print(f"    best of each: trainable trains {ratio:.2f} times as fast", flush=True)
    return statistics.median(best["trainable"][1])


def compare_nanogpt(
    folder: Path,
    model_file: Path,
    *,
    num_threads: int,
    turns: int,
    modes: list[tuple[str, bool]],
) -> None:
    """Print how many times as fast as nanoGPT each mode is, by the clock and in CPU time."""
    with threads(num_threads):
        for dtype, compile in modes:
            config = make_config(folder, LIKE_NANOGPT, dtype=dtype, compile=compile, device="cpu")
            theirs, their_params = nanogpt_loop(model_file, config)
            sides = (theirs, ours(config))
            for steps in sides:
                steps(3)
            count = max(1, round(0.2 / seconds_a_step(sides[0], 2)))
            pairs = [[_taken(steps, count) for steps in sides] for _ in range(turns)]
            clock, cpu = (
                statistics.median(theirs[i] / mine[i] for theirs, mine in pairs) for i in (0, 1)
            )
            tokens = config.batch_size * config.context_length * count
            speeds = [
                tokens / statistics.median(taken[0] for taken in side)
                for side in zip(*pairs, strict=True)
            ]
            print(
                f"    {dtype:9} {'compiled' if compile else 'eager':9} nanoGPT {speeds[0]:7,.0f} "
                f"and trainable {speeds[1]:7,.0f} tokens/s; {clock:.2f} times as fast by the "
                f"clock, {cpu:.2f} by CPU time",
                flush=True,
            )
    mine = num_params(config)
    print(f"    parameters: nanoGPT {their_params:,}, trainable {mine:,}", flush=True)


def _taken(steps: Steps, count: int) -> tuple[float, float]:
    """Seconds by the clock and of the CPUs that `count` steps take."""
    clock, cpu = time.perf_counter(), time.process_time()
    steps(count)
    return time.perf_counter() - clock, time.process_time() - cpu


def compare_parts(folder: Path, shape: dict[str, int], *, turns: int) -> None:
    """Print the time of a step with each part, as a multiple of that without any."""
    for dtype in ("float32", "bfloat16"):
        runs = {
            name: ours(
                make_config(folder, {**shape, **part}, dtype=dtype, compile=False, device="cpu")
            )
            for name, part in PARTS.items()
        }
        first = min((steps(2), seconds_a_step(steps, 3))[1] for steps in runs.values())
        count = 10 * max(1, round(0.1 / first))  # whole intervals of logging
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(turns):
            for name, steps in runs.items():
                taken[name].append(_taken(steps, count))
        plain = taken[next(iter(PARTS))]
        for name, values in taken.items():
            clock, cpu = (
                statistics.median(v[i] / p[i] for v, p in zip(values, plain, strict=True))
                for i in (0, 1)
            )
            print(f"    {dtype:9} {name:28} {clock:.3f} of the time, {cpu:.3f} of the CPU time")


def peak_memory(side: str, shape: dict[str, int], dtype: str) -> float:
    """Peak resident GiB of a process that takes 3 steps."""
    given = json.dumps({"side": side, "shape": shape, "dtype": dtype})
    command = [sys.executable, __file__, "--measure-memory", given]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(shown.stdout.split()[-1])


def measure_memory(folder: Path, given: dict[str, object]) -> None:
    config = make_config(folder, given["shape"], dtype=given["dtype"], compile=False, device="cpu")
    SIDES[given["side"]](config)(3)
    # Not getrusage: its peak is inherited from the process that forked this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 2**20)


def input_share(folder: Path, shape: dict[str, int], step_seconds: float) -> float:
    """The part of a step that reading its batch would take, were it not read ahead."""
    from trainable.data.batches import training_windows
    from trainable.data.token_files import open_tokens

    config = make_config(folder, shape, dtype="float32", compile=False, device="cpu")
    tokens = open_tokens(Path(str(config.train_data)))
    taken = []
    for step in range(200):
        started = time.perf_counter()
        training_windows(
            tokens,
            seed=0,
            step=step,
            batch_size=config.batch_size,
            context_length=config.context_length,
        )
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) / step_seconds


def card_flops() -> float:
    """Measured dense bfloat16 operations a second of this card: a large product."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = min(
        seconds_a_step(lambda n: [a @ b for _ in range(n)] and None, 20) for _ in range(5)
    )
    return 2 * 8192**3 / seconds


def gpu_table(folder: Path, turns: int) -> None:
    """The guide's large model: tokens/s of both sides and our share of the card's measured rate."""
    config = make_config(folder, GUIDE_LARGE, dtype="bfloat16", compile=True, device="cuda")
    runs = {side: start(config) for side, start in SIDES.items()}
    taken: dict[str, list[float]] = {side: [] for side in runs}
    for steps in runs.values():
        steps(3)
    for _ in range(turns):
        for side, steps in runs.items():
            taken[side].append(seconds_a_step(steps, 5))
    rate, tokens = card_flops(), config.batch_size * config.context_length
    print(f"{torch.cuda.get_device_name()}: {rate / 1e12:.0f} TFLOP/s in a bfloat16 product")
    for side, values in taken.items():
        speed = tokens / statistics.median(values)
        share = speed * flops_per_token(config) / rate
        print(f"    {side:13} {speed:9,.0f} tokens/s, {share:.0%} of that rate")
    print(f"    peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--no-compile", action="store_true", help="eager modes only: much quicker")
    parser.add_argument("--parts", action="store_true", help="what each part costs, and no more")
    parser.add_argument("--nanogpt", type=Path, help="nanoGPT's model.py, to compare with alone")
    parser.add_argument("--measure-memory", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.measure_memory:
            return measure_memory(folder, json.loads(given.measure_memory))
        if given.device == "cuda":
            return gpu_table(folder, given.turns)
        if given.parts:
            with threads(given.threads[-1]):
                for label in given.shapes:
                    print(f"{label}, {given.threads[-1]} threads", flush=True)
                    compare_parts(folder, SHAPES[label], turns=given.turns)
            return None
        modes = [mode for mode in MODES if not (mode[1] and given.no_compile)]
        if given.nanogpt is not None:
            for num_threads in given.threads:
                print(f"beside nanoGPT, {num_threads} threads", flush=True)
                compare_nanogpt(
                    folder, given.nanogpt, num_threads=num_threads, turns=given.turns, modes=modes
                )
            return None
        for label in given.shapes:
            shape = SHAPES[label]
            for num_threads in given.threads if label == "characters" else given.threads[-1:]:
                print(f"{label}, {num_threads} threads", flush=True)
                step_seconds = compare(
                    folder, shape, num_threads=num_threads, turns=given.turns, modes=modes
                )
                share = input_share(folder, shape, step_seconds)
                print(f"    reading a batch takes {share:.2%} of a step, and is read ahead")
            for dtype in ("float32", "bfloat16"):
                theirs, mine = (peak_memory(side, shape, dtype) for side in SIDES)
                print(
                    f"    peak memory {dtype}: transformers {theirs:.2f} GiB, trainable {mine:.2f} "
                    f"GiB, {mine / theirs:.2f} of it",
                    flush=True,
                )


if __name__ == "__main__":
    main()
