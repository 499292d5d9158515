"""`python -m trainable.generate CKPT --prompt …`: text from a trained model."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from trainable.command_line.checkpoint_argument import end_of_its_texts, find_checkpoint
from trainable.command_line.program import exit_code_of
from trainable.config import TrainConfig
from trainable.data.tokenizer import find_tokenizer, printable, read_tokenizer
from trainable.errors import CheckpointError, ConfigError
from trainable.loop.device import resolve_device
from trainable.model.generation import generate_tokens
from trainable.model.transformer import LanguageModel
from trainable.settings import shown
from trainable.weights.checkpoint import Checkpoint, read_checkpoint

MOST_SEED = 2**64 - 1  # what torch's generator takes


def load_model(
    checkpoint: Path, device: torch.device | None = None
) -> tuple[LanguageModel, TrainConfig]:
    """The model of a checkpoint, in float32, with its config.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    read = read_checkpoint(checkpoint)
    return build_model(read, device or torch.device("cpu")), read.config


def build_model(checkpoint: Checkpoint, device: torch.device) -> LanguageModel:
    model = LanguageModel(checkpoint.config)
    model.load_state_dict(checkpoint.model)
    return model.to(device).eval()


def load_tokenizer(path: Path | None, config: TrainConfig) -> Tokenizer:
    path = path or find_tokenizer(config)
    if path is None:
        raise CheckpointError("no tokenizer.json beside the training data; name one: --tokenizer")
    return read_tokenizer(path)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainable.generate", description=__doc__)
    parser.add_argument(
        "checkpoint", type=Path, help="a checkpoint of python -m trainable, or a folder of them"
    )
    parser.add_argument("--prompt", required=True, help="the text to go on from")
    parser.add_argument(
        "--num_tokens",
        "--num-tokens",
        type=int,
        default=200,
        help="at most so many, fewer where the text ends before (default: 200)",
    )
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top_p", "--top-p", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokenizer", type=Path, help="default: the one beside the training data")
    return parser


def check_sampling(given: argparse.Namespace) -> None:
    """Refuse what cannot be sampled with.

    Raises:
        ConfigError: it names the setting, the bound and the value.
    """

    def require(holds: bool, key: str, bounds: str) -> None:
        if not holds:
            raise ConfigError(key, f"must be {bounds}, got {shown(getattr(given, key))}")

    require(given.temperature >= 0, "temperature", "at least 0")
    require(math.isfinite(given.temperature), "temperature", "finite")
    require(0 < given.top_p <= 1, "top_p", "above 0 and at most 1")
    require(given.num_tokens >= 1, "num_tokens", "at least 1")
    require(0 <= given.seed <= MOST_SEED, "seed", f"from 0 to {MOST_SEED}")
    try:
        given.prompt.encode()
    except UnicodeEncodeError:  # Python keeps such bytes of an argument as lone surrogates
        raise ConfigError("prompt", "must be UTF-8 text") from None


def generate(given: argparse.Namespace) -> str:
    """The prompt and what the model makes of it, to the end of the text if that comes.

    Raises:
        UserError: a sampling setting that cannot be, or an unusable checkpoint or tokenizer.
    """
    check_sampling(given)
    device = resolve_device(given.device)
    _, checkpoint = find_checkpoint(given.checkpoint)
    config = checkpoint.config
    tokenizer = load_tokenizer(given.tokenizer, config)
    # As the training data were made: nothing is added to a text, and its end not before it goes on.
    prompt: list[int] = tokenizer.encode(given.prompt, add_special_tokens=False).ids
    if not prompt:
        raise ConfigError("prompt", "must hold at least one token, got none")
    if max(prompt) >= config.vocab_size:
        raise ConfigError("tokenizer", f"token {max(prompt)} is outside the model's vocabulary")
    tokens = generate_tokens(
        build_model(checkpoint, device),
        config,
        prompt,
        num_tokens=given.num_tokens,
        temperature=given.temperature,
        top_p=given.top_p,
        seed=given.seed,
        end_of_text=end_of_its_texts(checkpoint, tokenizer),
    )
    text: str = tokenizer.decode([*prompt, *tokens])
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    given = build_parser().parse_args(arguments)

    def work() -> int:
        print(printable(generate(given)))
        return 0

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main())
