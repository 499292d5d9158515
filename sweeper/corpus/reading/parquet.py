"""The text column of a Parquet file, a few rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainable.errors import DataError

ROWS_A_BATCH = 64  # rows may be whole books
BUFFER_BYTES = 1 << 20


def parquet_batches(path: Path, name: str, text_field: str) -> Iterator[tuple[list[bytes], float]]:
    """The texts of one column as UTF-8, nulls left out, and the share of the rows read so far.

    Raises:
        DataError: not a Parquet file, no such column, or a column that is not text.
    """
    import pyarrow as pa  # slow to import, and most corpora are text
    import pyarrow.parquet as pq

    try:
        # buffer_size: without it a whole column chunk (often a GB) is read at once
        with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            _check_column(pa, file.schema_arrow, name, text_field)
            num_rows = 0
            for batch in file.iter_batches(ROWS_A_BATCH, columns=[text_field]):
                num_rows += batch.num_rows
                texts = batch.column(0).cast(pa.large_binary()).drop_null().to_pylist()
                yield texts, num_rows / max(1, file.metadata.num_rows)
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
