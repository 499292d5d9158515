"""The text column of a Parquet file, a few rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainable.errors import DataError

ROWS_A_BATCH = 256
BUFFER_BYTES = 1 << 20


def parquet_texts(path: Path, name: str, text_field: str) -> Iterator[bytes]:
    """The texts of one column as UTF-8; nulls are left out.

    Raises:
        DataError: not a Parquet file, no such column, or a column that is not text.
    """
    import pyarrow as pa  # slow to import, and most corpora are text
    import pyarrow.parquet as pq

    try:
        # buffer_size: without it a whole column chunk (often a GB) is read at once
        with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            _check_column(pa, file.schema_arrow, name, text_field)
            for batch in file.iter_batches(ROWS_A_BATCH, columns=[text_field]):
                for text in batch.column(0).cast(pa.large_binary()).to_pylist():
                    if text is not None:
                        yield text
    except pa.ArrowException as error:
        raise DataError(f"{name}: cannot be read as Parquet: {error}") from error


def _check_column(pa: Any, schema: Any, name: str, text_field: str) -> None:
    if text_field not in schema.names:
        raise DataError(
            f"{name}: no column '{text_field}'; there are: {', '.join(schema.names)}; "
            "name one with --text_field"
        )
    kind = schema.field(text_field).type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(value) or pa.types.is_large_string(value)):
        raise DataError(
            f"{name}: column '{text_field}' must be text, it is {kind}; "
            "name another with --text_field"
        )
