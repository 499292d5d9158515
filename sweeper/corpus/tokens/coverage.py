"""What a tokenizer loses of a text: characters that vanish, words that become its unknown token."""

import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sweeper.corpus.reading.names import printable

MAX_SHOWN = 10  # characters
SPACES = "▁Ġ"  # as tokenizers without a decoder write them


@dataclass
class Coverage:
    """Counts over all text that one tokenizer is given.

    A BPE without an unknown token leaves out what it has no token for, and says nothing.
    """

    tokenizer: Tokenizer
    num_tokens: int = 0
    num_unknown: int = 0  # of the tokens
    lost: Counter[str] = field(default_factory=Counter)
    _tried: set[str] = field(default_factory=set)  # characters
    _vanishing: set[str] = field(default_factory=set)  # of those

    def __post_init__(self) -> None:
        self.unknown = unknown_id(self.tokenizer)

    def look_at(self, text: str, ids: NDArray[np.unsignedinteger]) -> None:
        characters = set(text)
        for character in characters - self._tried:
            self._tried.add(character)
            if self._vanishes(character):
                self._vanishing.add(character)
        if vanishing := characters & self._vanishing:
            counts = Counter(text)
            self.lost.update({character: counts[character] for character in vanishing})
        self.num_tokens += len(ids)
        if self.unknown is not None:
            self.num_unknown += int(np.count_nonzero(ids == self.unknown))

    def _vanishes(self, character: str) -> bool:
        if character.isspace():
            return False  # many tokenizers are made to drop it
        try:
            ids = self.tokenizer.encode(character, add_special_tokens=False).ids
        except Exception:  # the library raises nothing narrower; where it matters, encode tells
            return False
        if self.unknown in ids:
            return False
        said = self.tokenizer.decode(ids, skip_special_tokens=False).strip().strip(SPACES)
        return not said or ("\ufffd" in said and character != "\ufffd")  # some bytes of it vanish

    def sentences(self) -> list[str]:
        told = []
        if self.lost:
            first = sorted(self.lost, key=lambda c: (-self.lost[c], c))[:MAX_SHOWN]
            shown = " ".join(map(printable, first))
            more = " …" if len(self.lost) > MAX_SHOWN else ""
            told.append(
                f"lost: {self.lost.total():,} × a character that the tokenizer has no token for: "
                f"{shown}{more}"
            )
        if self.num_unknown:
            told.append(
                f"{self.num_unknown:,} of the {self.num_tokens:,} tokens are the tokenizer's "
                "unknown one: it stands for text that cannot be had back"
            )
        return told


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id that a tokenizer gives what it does not know, if it has one."""
    model = json.loads(tokenizer.to_str())["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    name = model.get("unk_token")
    return None if name is None else tokenizer.token_to_id(name)
