"""Which errors say that storage takes no more: not the fault of what was being written."""

import errno

STORAGE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


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
