"""The tokenizer beside the data, the token that ends a text, and text as a terminal can show it."""

from pathlib import Path

from tokenizers import Tokenizer

from trainable.config import TrainConfig
from trainable.data.meta import END_OF_TEXT, read_meta
from trainable.errors import DataError

TOKENIZER_FILE = "tokenizer.json"

# End-of-text tokens of known tokenizers (GPT-2, Llama 3, DeepSeek, Llama 2 and T5, Gemma, others).
KNOWN_ENDS = (
    END_OF_TEXT,
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
)


def find_tokenizer(config: TrainConfig) -> Path | None:
    """The `tokenizer.json` beside the training data, if it is there."""
    if config.train_data is None:
        return None
    path = Path(config.train_data).parent / TOKENIZER_FILE
    return path if path.is_file() else None


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that makes the ids of a text, all of them and no others: what it may have been
    told to add, to cut off or to fill up is for a model's inputs.

    Raises:
        DataError: the file is missing, or no tokenizer.json.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such tokenizer.json")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except BaseException as error:  # the library raises nothing narrower, and panics as well
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # Ctrl-C
        raise DataError(
            f"{path}: is not a tokenizer.json of the tokenizers library ({str(error)[:200]})"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def printable(text: str) -> str:
    """`text` without what would steer a terminal; such characters are shown by their pictures."""
    pictures = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"}
    return text.translate(pictures | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD))


def end_of_text(tokenizer: Tokenizer) -> int | None:
    """The id of the token that, by its name, ends a text."""
    ids: list[int | None] = [tokenizer.token_to_id(name) for name in KNOWN_ENDS]
    return next((id for id in ids if id is not None), None)


def separator_of_the_data(config: TrainConfig) -> int | None:
    """The token after each document of the training data, where their `meta.json` is still there
    to say so."""
    if config.train_data is None:
        return None
    try:
        return read_meta(Path(config.train_data)).separator
    except DataError:
        return None
