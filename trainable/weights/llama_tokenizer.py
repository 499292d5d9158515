"""The tokenizer of an exported model, as `transformers` wants it.

It makes the ids that the model was trained on, and knows the token that ends a text.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from trainable.data.meta import END_OF_TEXT
from trainable.data.tokenizer import KNOWN_ENDS, read_tokenizer


def llama_tokenizer(
    path: Path, end_of_text: int | None, context_length: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `tokenizer.json` and the `tokenizer_config.json` of an export.

    Args:
        path: the tokenizer.json of the data.
        end_of_text: the id of the token after each document, if there is one.

    Raises:
        DataError: `path` is no tokenizer.json.
    """
    tokenizer = read_tokenizer(path)
    described: dict[str, Any] = json.loads(tokenizer.to_str())
    if _adds_tokens(tokenizer):
        described["post_processor"] = None  # the data were made without
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # by transformers 4 and 5 alike
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }
    if end_of_text is not None:
        name = _name_the_end(described, tokenizer, end_of_text)
        if name is not None:
            config |= {"eos_token": name, "pad_token": name}
    return described, config


def _adds_tokens(tokenizer: Tokenizer) -> bool:
    """Whether it puts tokens around a text that do not stand for any of it."""
    text = "a"
    plain: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    whole: list[int] = tokenizer.encode(text).ids
    return whole != plain


def _name_the_end(described: dict[str, Any], tokenizer: Tokenizer, token: int) -> str | None:
    """Make `token` a special token with a name that no text has by chance; that name.

    The end of a tokenizer of bytes is byte 0, which is written as a letter that texts do have.
    """
    name: str | None = tokenizer.id_to_token(token)
    if name is None:
        return None
    added: list[dict[str, Any]] = described["added_tokens"]
    for entry in added:
        if entry["id"] == token:
            entry["special"] = True
            return name
    if name not in KNOWN_ENDS:
        vocab = described["model"]["vocab"]
        in_use = tokenizer.token_to_id(END_OF_TEXT) is not None
        if in_use or not isinstance(vocab, dict) or _is_merged(described["model"], name):
            return None
        described["model"]["vocab"] = {
            (END_OF_TEXT if written == name else written): id for written, id in vocab.items()
        }
        name = END_OF_TEXT
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added.append({"id": token, "content": name, **flags, "special": True})
    added.sort(key=lambda entry: entry["id"])
    return name


def _is_merged(model: dict[str, Any], name: str) -> bool:
    merges = (m.split(" ") if isinstance(m, str) else m for m in model.get("merges", []))
    return any(name in pair for pair in merges)
