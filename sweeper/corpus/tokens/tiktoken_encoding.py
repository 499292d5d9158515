"""tiktoken's encodings as tokenizers of the `tokenizers` library, with the same ids."""

from itertools import pairwise
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from sweeper.corpus.reading.names import shortened
from trainable.errors import DataError
from trainable.settings import nearest

if TYPE_CHECKING:  # an optional package
    from tiktoken import Encoding

# Where the two libraries' regular expressions might differ: contractions, long numbers, blanks and
# line ends within and at the end, letters with marks, scripts without blanks, symbols.
PROBE = (
    "It's 1234567 o'clock; don't YOU'LL we'Ve\n\n  \t x=3.14159e-10\r\n\r\n   end  \n"
    "naïve e\u0301 Größe 漢字かな交じり文 한국어 العربية हिन्दी 🙂👩‍👩‍👧 ½ ²³ — … "
    "CamelCaseWord snake_case /// \u00a0\u2003 "
)


def published_encoding(name: str) -> Tokenizer:
    """The encoding of this name, as tiktoken fetches it and keeps it on this machine.

    Raises:
        DataError: no tiktoken, no such encoding, or it cannot be fetched.
    """
    option = f"--tokenizer: tiktoken:{shortened(name)}"
    try:
        import tiktoken
    except ImportError:
        raise DataError(f"{option}: needs tiktoken; pip install tiktoken") from None
    names = tiktoken.list_encoding_names()
    if name not in names:
        raise DataError(
            f"{option}: no such encoding; there are: {', '.join(names)}{nearest(name, names)}"
        )
    try:
        encoding = tiktoken.get_encoding(name)
    except OSError as error:  # those of the network are of this kind too
        raise DataError(f"{option}: cannot be fetched: {shortened(str(error))}") from error
    return as_tokenizer(encoding)


def as_tokenizer(encoding: "Encoding") -> Tokenizer:
    """A byte-level BPE that makes the ids which `encoding` makes.

    tiktoken knows tokens by their bytes and merges by the rank of what they make; the library knows
    them by letters that stand for bytes, and by their pairs.

    Raises:
        DataError: its pattern means something else to the library.
    """
    letters = byte_letters()
    ranks = {token: encoding.encode_single_token(token) for token in encoding.token_byte_values()}
    special = {token: encoding.encode_single_token(token) for token in encoding.special_tokens_set}

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    vocab = {spelled(token): rank for token, rank in ranks.items()}
    merges = []
    for token, _ in sorted(ranks.items(), key=lambda ranked: ranked[1]):
        parts = _merged_below(token, ranks)
        if len(parts) == 2:  # what no pair makes is only ever found whole
            merges.append((spelled(parts[0]), spelled(parts[1])))
    tokenizer = Tokenizer(models.BPE(vocab=vocab | special, merges=merges, ignore_merges=True))
    # Behind a count a plus makes it possessive there, and repeats it here.
    pattern = Regex(encoding._pat_str.replace("}+", "}"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(sorted(special, key=special.__getitem__))
    if tokenizer.encode(PROBE).ids != encoding.encode_ordinary(PROBE):
        raise DataError(f"--tokenizer: tiktoken:{encoding.name}: cannot be had with the same ids")
    return tokenizer


def byte_letters() -> list[str]:
    """The printable character that the library writes each byte as: itself, or for the 68 bytes
    that have no shape of their own one from U+0100 on (GPT-2's table)."""
    own = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in own else next(others)) for byte in range(256)]


def _merged_below(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The parts that a token has before the merge that makes it: the best pair is merged as long as
    its rank is below the token's own."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        pairs = [ranks.get(a + b, ranks[token]) for a, b in pairwise(parts)]
        best = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[best] >= ranks[token]:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts
