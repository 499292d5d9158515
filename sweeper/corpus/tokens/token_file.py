"""Writing a 1-D .npy file whose length is known only at the end."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy

from sweeper.corpus.tokens.tokenization import Encoder, TokenDtype

BATCH_BYTES = 2 << 20  # of text a call of the tokenizer: enough to keep its threads busy


class TokenFile:
    """Documents appended to a .npy file as tokens, a batch at a time.

    numpy leaves room in the header for the length to grow. So the header is written first for no
    tokens, and at the end, in the same bytes, for all of them.
    """

    def __init__(self, path: Path, encoder: Encoder, dtype: TokenDtype) -> None:
        self.path = path
        self.num_documents = self.num_bytes = self.num_tokens = 0
        self._encoder = encoder
        self._dtype = np.dtype(dtype)
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._file = path.open("wb")
        self._write_header()

    def add(self, document: bytes) -> None:
        self._batch.append(document)
        self._batch_bytes += len(document)
        if self._batch_bytes >= BATCH_BYTES:
            self._encode_batch()

    def close(self) -> None:
        """Complete the file and bring it to the disk."""
        with self._file:
            self._encode_batch()
            self._file.seek(0)
            self._write_header()
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _encode_batch(self) -> None:
        if not self._batch:
            return
        tokens = self._encoder.encode(self._batch)
        self._file.write(tokens.astype(self._dtype, copy=False).data)
        self.num_tokens += len(tokens)
        self.num_documents += len(self._batch)
        self.num_bytes += self._batch_bytes
        self._batch, self._batch_bytes = [], 0

    def _write_header(self) -> None:
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.num_tokens,),
        }
        npy.write_array_header_1_0(self._file, header)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
