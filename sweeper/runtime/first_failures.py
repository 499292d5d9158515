"""A mistake that is the same for every trial: it need not be made for each of them. That a process
dies, or says nothing until it is killed, is one too."""

ENOUGH = 3  # trials that fail in the same way, before a step of any is heard of


class FirstFailures:
    """The trials of a session that have failed before anything was trained in it."""

    def __init__(self, num_trials: int) -> None:
        """
        Args:
            num_trials: How many the sweep has. A single one is tried as often as it may.
        """
        self._enough = max(2, min(ENOUGH, num_trials))
        self._errors: dict[str, str] | None = {}  # in one line, by trial; None: some trial trains

    def trains(self) -> None:
        """A trial has taken a step."""
        self._errors = None

    def failed(self, trial_id: str, error: str) -> list[str]:
        """A trial has failed before its first step. Returns the trials that have, if they are
        enough to stop for, and all for the same reason.

        Args:
            error: What went wrong, in one line.
        """
        if self._errors is None:
            return []
        self._errors[trial_id] = error
        alike = len(set(self._errors.values())) == 1
        return sorted(self._errors) if alike and len(self._errors) >= self._enough else []
