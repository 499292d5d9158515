"""From a run folder to the input of a summary."""

from sweeper.run_folder import RunFolder
from sweeper.summary.sweep_data import SweepData


def load(folder: RunFolder) -> SweepData:
    """All that a run folder tells, also of a sweep that is still going, or of a damaged folder.

    Raises:
        RunFolderError: there is no sweep in it.
    """
    raise NotImplementedError
