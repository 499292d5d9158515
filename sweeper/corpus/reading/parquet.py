"""The text column of a Parquet file, a few rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.corpus.reading.names import enumerated, printable
from trainable.errors import DataError

ROWS_A_BATCH = 64  # rows may be whole books
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows: their texts as UTF-8 or null, and how much of the file is read with them."""

    first: int  # the number of the first one; the file's first is 1
    texts: list[bytes | None]
    share: float


def parquet_rows(path: Path, name: str, text_field: str) -> Iterator[Rows]:
    """The texts of one column.

    Raises:
        DataError: not a Parquet file, no such column or two of them, a column that is not text,
            or a text that is not UTF-8.
    """
    import pyarrow as pa  # slow to import, and most corpora are text
    import pyarrow.parquet as pq

    try:
        with (
            path.open("rb") as stream,  # opened here: pyarrow takes no name that is not UTF-8
            # buffer_size: without it a whole column chunk (often a GB) is read at once
            pq.ParquetFile(stream, buffer_size=BUFFER_BYTES, pre_buffer=False) as file,
        ):
            check_column(pa, file.schema_arrow, name, text_field)
            num_rows = 0
            for batch in file.iter_batches(ROWS_A_BATCH, columns=[text_field]):
                texts = texts_of(pa, batch, name, text_field, before=num_rows)
                first, num_rows = num_rows + 1, num_rows + batch.num_rows
                share = num_rows / max(1, file.metadata.num_rows)
                yield Rows(first=first, texts=texts, share=share)
    except (pa.ArrowException, ValueError, OSError) as error:
        # ValueError: a column's name is not UTF-8. Arrow's own OSError has no number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        problem = printable(str(error).strip())
        raise DataError(f"{name}: cannot be read as Parquet: {problem}") from error


def texts_of(pa: Any, batch: Any, name: str, text_field: str, *, before: int) -> list[bytes | None]:
    """The texts of a batch of rows, `before` of which came before it.

    Raises:
        DataError: one that is not UTF-8.
    """
    # With `a.b` a field b of a column a comes along.
    column = batch.column(batch.schema.get_field_index(text_field))
    texts: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    for number, text in enumerate(texts, before + 1):
        _check_text(text, f"{name}: row {number}", text_field)
    return texts


def check_column(pa: Any, schema: Any, name: str, text_field: str) -> None:
    remedy, asked_for = "name one with --text_field", printable(text_field)
    """Raise DataError where a table has no one such column of text."""
    match schema.get_all_field_indices(text_field):
        case [] if not schema.names:
            raise DataError(f"{name}: no column '{asked_for}', and no other; leave the file out")
        case []:
            raise DataError(
                f"{name}: no column '{asked_for}'; there are: {enumerated(schema.names)}; {remedy}"
            )
        case [index]:
            kind = schema.field(index).type
        case several:
            raise DataError(
                f"{name}: {len(several)} columns are called '{asked_for}'; rename one in the "
                f"file, or {remedy} that stands alone"
            )
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if value not in (pa.string(), pa.large_string(), pa.string_view()):
        raise DataError(
            f"{name}: column '{asked_for}' must be text, it is {kind}; "
            "name another with --text_field"
        )


def _check_text(text: bytes | None, where: str, text_field: str) -> None:
    """Raise DataError if it is not UTF-8, which nothing else makes sure of."""
    try:
        (text or b"").decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: column '{printable(text_field)}': byte {error.start:,} of the text is not "
            "UTF-8; write the column again from text, or name another with --text_field"
        ) from error
