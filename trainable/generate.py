"""`python -m trainable.generate CKPT --prompt …`: text from a trained model."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError, UserError
from trainable.loop.device import resolve_device
from trainable.model.generation import generate_tokens
from trainable.model.transformer import LanguageModel
from trainable.weights.checkpoint import checkpoint_config, read_checkpoint
from trainable.weights.pretrained import find_tokenizer


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
