"""Which errors are those of a full disk, whatever they were turned into."""

import errno
from pathlib import Path

import pytest
import torch

from sweeper.storage import is_storage_error
from trainable.checkpoint import write_checkpoint
from trainable.errors import CheckpointError


def test_a_checkpoint_that_meets_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainable's own, with torch in between; the kernel says that the disk is full."""
    path = tmp_path / "checkpoint.pt"
    full, full_open = Path("/dev/full"), Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: full_open(full, mode))
    with pytest.raises(CheckpointError, match="No space left") as error:
        write_checkpoint(path, {"weights": torch.zeros(10**6)})
    assert is_storage_error(error.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_the_errors_of_storage(number: int) -> None:
    error = OSError(number, "as it is")
    assert is_storage_error(error)
    outer = RuntimeError("wrapped")
    outer.__context__ = error
    assert is_storage_error(outer)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "no such file"), OSError("?"), ValueError("No space left")]
)
def test_others_are_not(error: Exception) -> None:
    error.__context__ = error
    assert not is_storage_error(error)
