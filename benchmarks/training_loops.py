"""The loops that benchmarks/training.py compares, each a run that takes steps when asked to."""

import importlib.util
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config import TrainConfig
from trainable.loop.training import Trainer
from trainable.weights.llama_config import llama_config

Steps = Callable[[int], None]


def make_config(
    folder: Path, shape: dict[str, Any], *, dtype: str, compile: bool, device: str
) -> TrainConfig:
    """A run at `shape` on random tokens; it reports every 10 steps and evaluates never."""
    path = folder / f"tokens_{shape['vocab_size']}.npy"
    if not path.exists():
        tokens = np.random.default_rng(0).integers(0, shape["vocab_size"], 2_000_000)
        np.save(path, tokens.astype(np.uint16))
        (folder / "meta.json").write_text('{"separator": 0}')
    return TrainConfig(
        train_data=str(path),
        val_data=str(path),
        max_steps=10**9,
        eval_every_steps=10**9,
        dtype=dtype,
        compile=compile,
        device=device,
        **shape,
    )


def ours(config: TrainConfig) -> Steps:
    running = Trainer(config).train()

    def steps(count: int) -> None:
        for _ in range(count):
            next(running)

    return steps


def plain_loop(config: TrainConfig) -> Steps:
    """`transformers`' model in a plain torch loop, with autocast and compile where asked for."""
    from transformers import LlamaConfig, LlamaForCausalLM

    device = torch.device(config.device)
    model = LlamaForCausalLM(LlamaConfig(**llama_config(config))).to(device)
    forward = torch.compile(model) if config.compile else model
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.1
    )
    tokens = np.load(str(config.train_data), mmap_mode="r")
    random = np.random.default_rng(0)
    low = config.dtype != "float32"

    def steps(count: int) -> None:
        for _ in range(count):
            starts = random.integers(0, len(tokens) - config.context_length, config.batch_size)
            rows = [tokens[i : i + config.context_length + 1].astype(np.int64) for i in starts]
            windows = torch.from_numpy(np.stack(rows)).to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
                logits = forward(input_ids=windows[:, :-1].contiguous(), use_cache=False).logits
                loss = F.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

    return steps


def nanogpt_loop(model_file: Path, config: TrainConfig) -> tuple[Steps, int]:
    """nanoGPT's own `model.py`, with its optimiser, in the loop of its `train.py`.

    Returns:
        the loop, and how many parameters the model has.
    """
    spec = importlib.util.spec_from_file_location("nanogpt_model", model_file)
    nanogpt: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nanogpt)
    shape = nanogpt.GPTConfig(
        block_size=config.context_length,
        vocab_size=config.vocab_size,
        n_layer=config.num_layers,
        n_head=config.num_heads,
        n_embd=config.d_model,
        dropout=0.0,
        bias=False,
    )
    with redirect_stdout(io.StringIO()):  # it says what it makes
        model = nanogpt.GPT(shape)
        optimizer = model.configure_optimizers(0.1, config.learning_rate, (0.9, 0.95), "cpu")
    forward = torch.compile(model) if config.compile else model
    tokens = np.load(str(config.train_data), mmap_mode="r")
    length, low = config.context_length, config.dtype != "float32"

    def steps(count: int) -> None:
        for _ in range(count):
            starts = torch.randint(len(tokens) - length, (config.batch_size,)).tolist()
            inputs, targets = (
                torch.stack(
                    [torch.from_numpy(tokens[i : i + length].astype(np.int64)) for i in begins]
                )
                for begins in (starts, [start + 1 for start in starts])
            )
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                _, loss = forward(inputs, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return steps, sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def seconds_a_step(steps: Steps, count: int) -> float:
    started = time.perf_counter()
    steps(count)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / count
