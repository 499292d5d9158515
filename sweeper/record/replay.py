"""The state that a run folder's journal leads to; each decision in it is made again."""

from collections.abc import Mapping
from typing import Any

from sweeper.errors import RunFolderError
from sweeper.record.journal import Event, damaged_line, read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.sweep_spec import SweepSpec
from trainable.errors import ConfigError
from trainable.loop.metrics import Metrics


def replay(spec: SweepSpec, folder: RunFolder) -> SweepState:
    """The state that a folder's journal leads to.

    Raises:
        RunFolderError: the journal is damaged, or its decisions are not those of its spec.
    """
    state = SweepState(spec)
    for number, event in enumerate(read_journal(folder.journal), start=1):
        replay_event(state, event, folder, number)
    if not state.sessions and folder.trials.is_dir() and any(folder.trials.iterdir()):
        raise damaged_line(f"{folder.journal}:1", "it is missing, but trials have been run")
    return state


def replay_event(state: SweepState, event: Event, folder: RunFolder, number: int) -> None:
    """Apply a recorded event: line `number` of the folder's journal.

    Raises:
        RunFolderError: its decision is not that of the spec, or no sweep has written it there.
    """
    where = f"{folder.journal}:{number}"
    try:
        if event["event"] == "report":
            metrics = Metrics.from_mapping(event["metrics"])
            verdict = state.judge(state.trials[event["trial"]], metrics)
            recorded = {key: event[key] for key in verdict}
            if verdict != recorded:
                raise RunFolderError(
                    f"{where}: trial {event['trial']} at step {metrics.step} got "
                    f"{_told(recorded)}, but {folder.spec.name} leads to {_told(verdict)}; "
                    "was it edited? Put the old one back."
                )
        state.apply(event)
        if not state.sessions:
            raise ValueError("the first event must be session_started")
    except (LookupError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise damaged_line(where, f"{type(error).__name__}: {error}") from None


def _told(verdict: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in verdict.items())
