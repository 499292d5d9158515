"""What a user can get wrong in a sweep, in one family with the errors of `trainable`: each ends in
a message and exit code 2. And a classification: which errors mean that storage takes no more."""

import errno
from collections.abc import Sequence

from trainable.errors import UserError

# Full, over quota, read-only, a bucket that does not answer: not the fault of what was being
# written.
STORAGE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EREMOTEIO})


class SpecError(UserError):
    """A search-space file that cannot be run: every problem in it, each in a line of its own."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class RunFolderError(UserError):
    """A run folder that is missing, in use, damaged, or of another kind."""


class InUseError(RunFolderError):
    """A run folder at which another driver is at work."""

    def __init__(self, message: str, *, left: float | None = None) -> None:
        self.left = left  # seconds until it is known whether that one is gone
        super().__init__(message)


class UnreachableError(RunFolderError):
    """A bucket that does not answer, or refuses."""


class RecordingError(UserError):
    """Curves that cannot be replayed."""


class PredictionError(UserError):
    """A sweep that does not tell what is best at another size."""


class TooFewFlopsError(PredictionError):
    """A budget below what the smallest sweep takes."""

    def __init__(self, message: str, *, least: float) -> None:
        self.least = least  # FLOPs that are enough
        super().__init__(message)


class NoLawError(PredictionError):
    """Its sizes follow no law, or do not tell what parameters do from what tokens do."""


class StorageError(UserError):
    """The journal cannot be written (a full disk): the sweep stops, and can be resumed."""


class TrainerError(UserError):
    """A training loop that is not where it is said to be."""


class ResourceError(UserError):
    """More CPUs or GPUs asked for than there are."""


class WandbError(UserError):
    """Weights & Biases cannot be used as asked."""


class MirrorError(UserError):
    """A sweep cannot be shown in another tool as asked."""


class ServeError(UserError):
    """Pages that cannot be served as asked."""


def is_storage_error(error: BaseException) -> bool:
    return storage_error(error) is not None


def storage_error(error: BaseException | None) -> OSError | None:
    """The error of a full, exhausted or read-only file system that is behind `error`, if any."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
