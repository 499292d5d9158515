"""The state that a run folder's journal leads to. Each decision is made again and compared, but for
those that rest on a forecast, which stand."""

from collections.abc import Iterable

from sweeper.errors import RunFolderError
from sweeper.record.effective_spec import effective_spec
from sweeper.record.journal import damaged_line, read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Evaluated, Event, SessionStarted
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.strategy.schedulers.scheduler import Verdict
from trainable.errors import ConfigError


def read_state(folder: RunFolder) -> SweepState:
    """The state that a run folder leads to, under the spec that it has now.

    Raises:
        SpecError: sweep.yaml is not right.
        RunFolderError: as `replay`.
    """
    events = list(read_journal(folder.journal))
    spec, _ = effective_spec(folder, events)
    return replay(spec, folder, events)


def replay(spec: SweepSpec, folder: RunFolder, events: Iterable[Event] | None = None) -> SweepState:
    """The state that a folder's journal leads to.

    Args:
        events: Those of the journal. None: they are read for it.

    Raises:
        RunFolderError: the journal is damaged, or its decisions are not those of its spec.
    """
    state = SweepState(spec)
    recorded = read_journal(folder.journal) if events is None else events
    for number, event in enumerate(recorded, start=1):
        replay_event(state, event, folder, number)
    if not state.sessions and folder.trials.is_dir() and any(folder.trials.iterdir()):
        raise damaged_line(f"{folder.journal}:1", "it is missing, but trials have been run")
    return state


def replay_event(state: SweepState, event: Event, folder: RunFolder, number: int) -> None:
    """Apply a recorded event, which is line `number` of the folder's journal.

    Raises:
        RunFolderError: its decision is not what the spec leads to, or no sweep writes such an event
            there.
    """
    where = f"{folder.journal}:{number}"
    try:
        if isinstance(event, Evaluated):
            trial, recorded = state.trial_of(event), event.verdict
            verdict = state.judge(trial, event.metrics, recorded)
            if verdict != recorded:
                raise RunFolderError(
                    f"{where}: trial {event.trial} at step {event.metrics.step} got "
                    f"{_told(recorded)}, but {folder.spec.name} leads to {_told(verdict)}; "
                    "was it edited? Put the old one back."
                )
        if isinstance(event, SessionStarted) and event.follows not in {None, number - 1}:
            raise ValueError(f"follows: {event.follows} lines, and {number - 1} are there")
        state.apply(event)
        if not state.sessions:
            raise ValueError("event: the first must be session_started")
    except ConfigError as error:
        raise damaged_line(where, f"config.{error}") from None
    except ValueError as error:
        raise damaged_line(where, str(error)) from None
    except LookupError as error:
        raise damaged_line(where, f"{event.event}: cannot follow here: {error}") from None


def _told(verdict: Verdict) -> str:
    return f"decision {verdict.decision}, rung {verdict.rung}, rank {verdict.rank}, of {verdict.of}"
