"""The text column of an Arrow file, as Hugging Face's `datasets` save them (`save_to_disk`).

Format: https://arrow.apache.org/docs/format/Columnar.html, a stream of batches or a file of them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sweeper.corpus.reading.names import printable
from sweeper.corpus.reading.parquet import Rows, check_column, texts_of
from trainable.errors import DataError

FILE_MAGIC = b"ARROW1"

# What `datasets` writes beside its tables: descriptions, and results of computations.
DESCRIPTIONS = frozenset({"dataset_info.json", "state.json", "dataset_dict.json"})
CACHE = "cache-"


def without_descriptions(names: Iterable[str]) -> list[str]:
    """The files of a folder, less what is no data where `datasets` has saved it."""
    names = list(names)
    if not {"state.json", "dataset_dict.json"} & set(names):
        return names
    return [name for name in names if name not in DESCRIPTIONS and not name.startswith(CACHE)]


def arrow_rows(path: Path, name: str, text_field: str) -> Iterator[Rows]:
    """The texts of one column.

    Raises:
        DataError: not an Arrow file, no such column or two of them, a column that is not text, or a
            text that is not UTF-8.
    """
    import pyarrow as pa  # slow to import, and most corpora are text

    size = max(1, path.stat().st_size)
    try:
        with path.open("rb") as stream:  # opened here: pyarrow takes no name that is not UTF-8
            num_rows = 0
            for batch in _batches(pa, stream, name, text_field):
                texts = texts_of(pa, batch, name, text_field, before=num_rows)
                share = min(1.0, stream.tell() / size)
                yield Rows(first=num_rows + 1, texts=texts, share=share)
                num_rows += batch.num_rows
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        problem = printable(str(error).strip())
        raise DataError(f"{name}: cannot be read as Arrow: {problem}") from error


def _batches(pa: Any, stream: Any, name: str, text_field: str) -> Iterator[Any]:
    is_file = stream.read(len(FILE_MAGIC)) == FILE_MAGIC
    stream.seek(0)
    if is_file:
        with pa.ipc.open_file(stream) as file:
            check_column(pa, file.schema, name, text_field)
            for number in range(file.num_record_batches):
                yield file.get_batch(number)
    else:
        with pa.ipc.open_stream(stream) as batches:
            check_column(pa, batches.schema, name, text_field)
            yield from batches
