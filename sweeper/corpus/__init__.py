"""Data preparation: text in, a folder of training and validation tokens out."""

from sweeper.corpus.builtin import prepare_default
from sweeper.corpus.meta import CorpusFolder, Meta
from sweeper.corpus.preparation import (
    DEFAULT_TEXT_FIELD,
    DEFAULT_TOKENIZER,
    DEFAULT_VAL_FRACTION,
    prepare,
)

__all__ = [
    "DEFAULT_TEXT_FIELD",
    "DEFAULT_TOKENIZER",
    "DEFAULT_VAL_FRACTION",
    "CorpusFolder",
    "Meta",
    "prepare",
    "prepare_default",
]
