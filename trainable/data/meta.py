"""What `meta.json` beside a data file says."""

import json
from dataclasses import dataclass
from pathlib import Path

from trainable.errors import DataError


@dataclass(frozen=True, kw_only=True)
class DataMeta:
    """What `meta.json` beside a data file says of it; `None` where it says nothing."""

    vocab_size: int | None = None
    bytes_per_token: float | None = None
    dtype: str | None = None


def read_meta(data_file: Path) -> DataMeta:
    """The `meta.json` in the folder of `data_file`, or an empty one.

    Raises:
        DataError: the file is there and is no JSON object of the right types.
    """
    path = data_file.parent / "meta.json"
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return DataMeta()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); prepare the data again") from None
    types = {"vocab_size": int, "bytes_per_token": int | float, "dtype": str}
    if not isinstance(values, dict):
        raise DataError(f"{path}: must hold a JSON object, got {values!r}")
    for key, expected in types.items():
        if values.get(key) is not None and not isinstance(values[key], expected):
            raise DataError(f"{path}: {key}: got {values[key]!r}; prepare the data again")
    return DataMeta(**{key: values.get(key) for key in types})
