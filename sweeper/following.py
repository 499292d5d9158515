"""A sweep followed from outside: read from its run folder, while another process runs it or later.

What shows a sweep elsewhere (W&B, TensorBoard) is such a follower: the training never waits for it,
and it can be made again from the folder at any time.
"""

from sweeper.effective_spec import effective_spec
from sweeper.journal import JournalReader
from sweeper.run_folder import RunFolder
from sweeper.status import Status
from sweeper.sweep import Metrics, SweepState, Trial, replay_event
from sweeper.watchers import read_metrics


class Follower:
    """The state of a sweep, as far as its files tell."""

    def __init__(self, folder: RunFolder) -> None:
        spec, _ = effective_spec(folder)
        self.folder = folder
        self.state = SweepState(spec)
        self._journal = JournalReader(folder.journal)

    def catch_up(self) -> None:
        """Take in what the journal has gained.

        Raises:
            RunFolderError: it is damaged.
        """
        for event in self._journal.new_events():
            replay_event(self.state, event, self.folder, self._journal.lines)

    def rows(self, trial: Trial, after: int) -> list[Metrics]:
        """What a trial has reported beyond step `after`, evaluations and what lies between.

        The journal is ahead of the metrics file for an instant, and after a kill for good. While
        the trial runs, that is waited out.
        """
        rows = {row["step"]: row for row in read_metrics(self.folder.trial_metrics(trial.trial_id))}
        if trial.status is not Status.RUNNING:
            rows |= {report["step"]: report for report in trial.reports}
        return [rows[step] for step in sorted(rows) if step > after]
