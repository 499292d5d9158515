"""What `meta.json` beside a data file says."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from trainable.errors import DataError
from trainable.settings import LARGEST_WHOLE, shown

END_OF_TEXT = "<|endoftext|>"  # GPT-2's name of the token after a text


@dataclass(frozen=True, kw_only=True)
class DataMeta:
    """What `meta.json` beside a data file says of it; `None` where it says nothing."""

    vocab_size: int | None = None
    bytes_per_token: float | None = None
    dtype: str | None = None
    separator: int | None = None  # the token after each document


KEYS = [spec.name for spec in fields(DataMeta)]
REMEDY = "prepare the data again under another name"  # what is there is not overwritten
MOST_BYTES_PER_TOKEN = 10**9  # far above any tokenizer's


def read_meta(data_file: Path) -> DataMeta:
    """The `meta.json` in the folder of `data_file`, or an empty one.

    Raises:
        DataError: the file is there and is no JSON object, or has a value that cannot be.
    """
    path = data_file.parent / "meta.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DataMeta()
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); {REMEDY}") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: must hold a JSON object, got {shown(values)}")
    for key in KEYS:
        if values.get(key) is not None and not _is_legal(key, values[key]):
            raise DataError(f"{path}: {key}: got {shown(values[key])}; {REMEDY}")
    return DataMeta(**{key: values.get(key) for key in KEYS})


def _is_legal(key: str, value: object) -> bool:
    match key, value:
        case (("vocab_size" | "separator" | "bytes_per_token"), bool()):
            return False
        case "vocab_size", int():
            return 1 <= value <= LARGEST_WHOLE
        case "separator", int():
            return 0 <= value <= LARGEST_WHOLE
        case "bytes_per_token", int() | float():
            return 0 < value <= MOST_BYTES_PER_TOKEN
        case "dtype", str():
            return True
    return False
