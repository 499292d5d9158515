"""What a user can get wrong in a sweep: one family with the trainable, a message, exit code 2."""

from collections.abc import Sequence

from trainable.errors import UserError


class SpecError(UserError):
    """A search-space file that cannot be run: every problem in it, one a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class RunFolderError(UserError):
    """A run folder that is missing, in use, damaged, or of another kind."""


class StorageError(UserError):
    """The journal cannot be written (a full disk): the sweep stops, and can be resumed."""


class ResourceError(UserError):
    """More CPUs or GPUs asked for than there are."""


class WandbError(UserError):
    """Weights & Biases cannot be used as asked."""


class MirrorError(UserError):
    """A sweep cannot be shown in another tool as asked."""
