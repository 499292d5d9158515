"""`python -m trainable.generate CKPT --prompt …`: text from a trained model."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError, UserError
from trainable.model.checkpoint import checkpoint_config, read_checkpoint
from trainable.model.pretrained import find_tokenizer
from trainable.model.transformer import KVCache, LanguageModel
from trainable.optimisation.precision import resolve_device


def load_model(
    checkpoint: Path, device: torch.device | None = None
) -> tuple[LanguageModel, TrainConfig]:
    """The model of a checkpoint, in float32, with its config.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    parts = read_checkpoint(checkpoint)
    config = checkpoint_config(parts, checkpoint)
    model = LanguageModel(config)
    model.load_state_dict(parts["model"])
    return model.to(device or torch.device("cpu")).eval(), config


@torch.inference_mode()
def generate_tokens(
    model: LanguageModel,
    config: TrainConfig,
    prompt: Sequence[int],
    *,
    num_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Iterator[int]:
    """Tokens that go on from `prompt`, one after another.

    The keys and values of what was read are kept. Where the context is full its older half is let
    go and the newer one read again.

    Args:
        prompt: token ids, at least one; only the last context_length count.
        temperature: the logits are divided by it; 0 takes the likeliest token.
        top_p: sample from the smallest set of tokens with this much probability
            (https://arxiv.org/abs/1904.09751).
    """
    device = model.lm_head.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    tokens = list(prompt)[-config.context_length :]
    unread, cache = tokens, KVCache(config, 1, torch.float32, device)
    for _ in range(num_tokens):
        if cache.length + len(unread) > config.context_length:
            unread = tokens[-max(1, config.context_length // 2) :]
            cache = KVCache(config, 1, torch.float32, device)
        logits = model(torch.tensor([unread], device=device), cache=cache)[0, -1]
        token = sample(logits, temperature=temperature, top_p=top_p, generator=generator)
        tokens.append(token)
        unread = [token]
        yield token


def sample(logits: Tensor, *, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """One token id from `logits`, shape (vocab_size,)."""
    if temperature == 0:
        return int(logits.argmax())
    probs, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
    before = probs.cumsum(0) - probs  # the likeliest token stays whatever top_p is
    probs = probs.masked_fill(before >= top_p, 0.0)
    return int(order[torch.multinomial(probs, 1, generator=generator)])


def load_tokenizer(path: Path | None, config: TrainConfig) -> Tokenizer:
    path = path or find_tokenizer(config)
    if path is None or not path.is_file():
        raise CheckpointError("no tokenizer.json beside the training data; name one: --tokenizer")
    return Tokenizer.from_file(str(path))


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainable.generate", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of python -m trainable")
    parser.add_argument("--prompt", required=True, help="the text to go on from")
    parser.add_argument("--num_tokens", "--num-tokens", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top_p", "--top-p", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokenizer", type=Path, help="default: the one beside the training data")
    return parser


def generate(given: argparse.Namespace) -> str:
    """The prompt and what the model makes of it.

    Raises:
        UserError: a sampling setting that cannot be, or an unusable checkpoint or tokenizer.
    """
    if given.temperature < 0:
        raise ConfigError("temperature", f"must be at least 0, got {given.temperature}")
    if not 0 < given.top_p <= 1:
        raise ConfigError("top_p", f"must be above 0 and at most 1, got {given.top_p}")
    if given.num_tokens < 1:
        raise ConfigError("num_tokens", f"must be at least 1, got {given.num_tokens}")
    model, config = load_model(given.checkpoint, resolve_device(given.device))
    tokenizer = load_tokenizer(given.tokenizer, config)
    prompt: list[int] = tokenizer.encode(given.prompt).ids
    if not prompt:
        raise ConfigError("prompt", "must hold at least one token, got none")
    if max(prompt) >= config.vocab_size:
        raise ConfigError("tokenizer", f"token {max(prompt)} is outside the model's vocabulary")
    tokens = generate_tokens(
        model,
        config,
        prompt,
        num_tokens=given.num_tokens,
        temperature=given.temperature,
        top_p=given.top_p,
        seed=given.seed,
    )
    text: str = tokenizer.decode([*prompt, *tokens])
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        print(generate(build_parser().parse_args(arguments)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
