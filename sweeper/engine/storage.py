"""Why a sweep has had to stop: its record cannot be kept any more."""

from typing import NoReturn

from sweeper.engine.held_folder import HeldFolder
from sweeper.errors import StorageError
from sweeper.record.journal import Journal
from sweeper.record.run_folder import RunFolder
from sweeper.spec.sweep_spec import SweepSpec


class Storage:
    """What one session writes to."""

    def __init__(self, folder: RunFolder, spec: SweepSpec, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal
        self._held = HeldFolder(folder, spec, journal)
        self._failure: StorageError | None = None

    @property
    def failure(self) -> StorageError | None:
        """Why the sweep has had to stop."""
        return self._journal.failure or self._failure

    def failed(self, problem: str) -> NoReturn:
        """The sweep cannot write its record any more. That is no trial's fault, and none can go on.

        Raises:
            StorageError: always.
        """
        self._stop(
            f"{problem}, so the sweep has stopped; "
            f"{self._folder.remedy}, then: python -m sweeper resume {self._folder.called}"
        )

    def require_in_place(self) -> None:
        """
        Raises:
            StorageError: somebody has deleted the run folder, or moved it away.
        """
        if (loss := self._held.loss()) is not None:
            self._stop(loss)

    def _stop(self, problem: str) -> NoReturn:
        self._failure = StorageError(problem)
        raise self._failure
