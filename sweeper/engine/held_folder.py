"""Whether a run folder still stands where a session has begun in it, and can be written. Somebody
may delete it or move it away; then what the session still has is written again."""

import os
import weakref
from pathlib import Path

from sweeper.record.journal import Journal
from sweeper.record.run_folder import RunFolder, write_spec
from sweeper.spec.sweep_spec import SweepSpec

PUT_BACK = "What a deleted sweep.yaml said,"  # in the first line of the one in its place


class HeldFolder:
    """One session's folder, with that of its trials."""

    def __init__(self, folder: RunFolder, spec: SweepSpec, journal: Journal) -> None:
        self.folder = folder
        self._spec = spec
        self._journal = journal
        self._held = [*map(_Held, (folder.path, folder.trials))]

    def loss(self) -> str | None:
        """What to say if it stands no more, once what can be written again has been."""
        gone = [held.path for held in self._held if not held.is_in_place]
        if not gone:
            return None
        deleted = f"{gone[0]}: was deleted while the sweep was at work in it, so it has stopped"
        if gone[0] == self.folder.path:
            if (place := self._journal.moved_to) is not None:
                return (
                    f"{gone[0]}: was moved away while the sweep was at work in it, so it has "
                    "stopped; it goes on where it is now with: "
                    f"python -m sweeper resume {RunFolder(place.parent).called}"
                )
            try:
                self.folder.trials.mkdir(parents=True, exist_ok=True)
                write_spec(self.folder.spec, self._spec, PUT_BACK)
                self._journal.put_back()
            except OSError as error:
                return f"{deleted}; nothing of it could be put back ({error.strerror})"
            deleted += ". Its search space and its journal have been written again"
        return (
            f"{deleted}. Every evaluation is in the journal; the checkpoints are lost. The trials "
            f"that had not ended begin anew with: python -m sweeper resume {self.folder.called}"
        )


class _Held:
    """A folder that is kept open, so that none in its place can be taken for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # there was none
            self._descriptor = None
        else:
            weakref.finalize(self, os.close, self._descriptor)

    @property
    def is_in_place(self) -> bool:
        if self._descriptor is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False
