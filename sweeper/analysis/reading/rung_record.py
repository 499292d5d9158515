"""What only the journal says: which trial reached which rung, and whether it went on from there."""

from dataclasses import dataclass, field, replace

from sweeper.analysis.reading.sweep_data import Arrival
from sweeper.record.journal import read_journal
from sweeper.record.replay import replay_event
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Evaluated, Event, Promoted, TrialEnded
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Decision


@dataclass
class Record:
    """A sweep's state, and what the state does not keep."""

    state: SweepState
    arrivals: dict[tuple[str, int], Arrival] = field(default_factory=dict)  # by trial and rung


def read_record(spec: SweepSpec, folder: RunFolder) -> Record:
    """Raises:
    RunFolderError: the journal is missing, damaged, or not of this spec.
    """
    record = Record(SweepState(spec))
    for number, event in enumerate(read_journal(folder.journal), start=1):
        replay_event(record.state, event, folder, number)
        _note_rung(record, event)
    return record


def _note_rung(record: Record, event: Event) -> None:
    match event:
        case Evaluated(rung=int(rung), metrics=metrics):
            trial = record.state.trials[event.trial]
            record.arrivals[trial.trial_id, rung] = Arrival(
                rung=rung,
                trial_id=trial.trial_id,
                step=metrics.step,
                value=metrics.value(record.state.spec.objective.metric),
                kept=_kept(event, ended=metrics.step >= trial.config.max_steps),
            )
        case Promoted():
            _settle(record, event.trial, event.rung, kept=True)
        case TrialEnded():
            trial = record.state.trials[event.trial]
            if trial.rung is not None:
                _settle(record, trial.trial_id, trial.rung, kept=False)


def _kept(event: Evaluated, *, ended: bool) -> bool | None:
    if event.metrics.diverged:
        return False
    if ended:
        return True
    return {Decision.CONTINUE: True, Decision.STOP: False}.get(event.decision)


def _settle(record: Record, trial_id: str, rung: int, *, kept: bool) -> None:
    """Whether the trial went on, where that was open; a decision that was made stands."""
    arrival = record.arrivals.get((trial_id, rung))
    if arrival is not None and arrival.kept is None:
        record.arrivals[trial_id, rung] = replace(arrival, kept=kept)
