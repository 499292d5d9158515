"""What a sweep has spent, the CPU and GPU hours that its trials had while they ran; and whether
that is all that `max_spend` allows."""

from datetime import datetime, timedelta
from itertools import islice

from sweeper.errors import SpecError
from sweeper.plan.placement import Share, case_of, share_of
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Allotment, SpendReached, now
from sweeper.record.state.stints import Stint
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.sweep_spec import Resources, SweepSpec

ENDING_SECONDS = 15  # that a session takes to end, while its trials save themselves


def ending(spec: SweepSpec) -> timedelta:
    """How long before a limit a session has to stop; the program of another trainer may take its
    time to end."""
    grace_s = 0.0 if spec.trainer is None else spec.trainer.stop.grace_s
    return timedelta(seconds=ENDING_SECONDS + grace_s)


class Spending:
    """Counts as the sweep goes on: an attempt that has ended is looked at once."""

    def __init__(self, state: SweepState) -> None:
        self.state = state
        self._counted = 0  # attempts
        self._cpu_hours = self._gpu_hours = 0.0  # of these

    def reached(self, at: datetime) -> SpendReached | None:
        """The part of `max_spend` that is spent by then, if any is."""
        most = self.state.spec.max_spend
        if most is None:
            return None
        cpu_hours, gpu_hours = self.hours(at)
        if most.cpu_hours is not None and cpu_hours >= most.cpu_hours:
            return SpendReached(time=now(), key="cpu_hours", limit=most.cpu_hours)
        if most.gpu_hours is not None and gpu_hours >= most.gpu_hours:
            return SpendReached(time=now(), key="gpu_hours", limit=most.gpu_hours)
        if most.until is not None and at >= datetime.fromisoformat(most.until):
            return SpendReached(time=now(), key="until", limit=most.until)
        return None

    def hours(self, at: datetime) -> tuple[float, float]:
        """CPU hours and GPU hours, if what runs now runs on until then."""
        cpu_hours, gpu_hours = self._cpu_hours, self._gpu_hours
        all_ended = True
        for stint in islice(self.state.stints, self._counted, None):
            share, hours = self._share(stint), _hours(stint, at)
            cpu_hours += share.cpu * hours
            gpu_hours += share.gpu * hours
            all_ended = all_ended and stint.ended is not None
            if all_ended:
                self._counted += 1
                self._cpu_hours, self._gpu_hours = cpu_hours, gpu_hours
        return cpu_hours, gpu_hours

    def _share(self, stint: Stint) -> Share:
        given = None
        for session in self.state.sessions:
            if session.started <= stint.began:
                given = session.environment.placement
        resources = Resources() if given is None else _resources(given)
        return share_of(resources, case_of(resources, self.state.trials[stint.trial_id].values))


def _hours(stint: Stint, at: datetime) -> float:
    """A clock that was set back takes nothing away."""
    return max(0.0, ((stint.ended or at) - stint.began).total_seconds()) / 3600


def _resources(given: Allotment) -> Resources:
    stated = {"cpu": given.cpu, "gpu": given.gpu, "processes": given.processes}
    return Resources.model_validate({**stated, "cases": list(given.cases)})


def require_unspent(state: SweepState, folder: RunFolder | None = None) -> None:
    """
    Args:
        folder: None: the sweep begins.

    Raises:
        SpecError: what `max_spend` allows is spent already, but for what it takes to end.
    """
    reached = Spending(state).reached(now() + ending(state.spec)) or _stopped_before(state)
    if reached is not None:
        raise SpecError([f"{spend_text(reached)}; {spend_remedy(reached, folder)}"])


def _stopped_before(state: SweepState) -> SpendReached | None:
    """What stopped the last session, if it allows no more than then."""
    before = state.sessions[-1].reached if state.sessions else None
    if before is None or isinstance(before.limit, str) or state.spec.max_spend is None:
        return None
    most: float | None = getattr(state.spec.max_spend, before.key)
    return before if most is not None and most <= before.limit else None


def spend_text(reached: SpendReached) -> str:
    if reached.key == "until":
        return f"max_spend.until: it is {reached.limit}"
    what = reached.key.removesuffix("_hours").upper()
    return f"max_spend.{reached.key}: {reached.limit:g} {what} hours are spent"


def spend_remedy(reached: SpendReached, folder: RunFolder | None) -> str:
    later = reached.key == "until"
    other = f"--set max_spend.{reached.key}={'TIME' if later else 'HOURS'}"
    how = "a later time" if later else "a larger number"
    if folder is None:
        return f"state {how}, or leave it out"
    return f"to go on, state {how}: python -m sweeper resume {folder.called} {other}"
