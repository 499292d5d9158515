"""What a sweep is now: its `sweep.yaml`, with what resumed sessions have changed since."""

from collections.abc import Iterable, Sequence

from sweeper.errors import RunFolderError, SpecError
from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Event, SessionStarted
from sweeper.spec.reading.overrides import parse_override
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec


def effective_spec(
    folder: RunFolder, events: Iterable[Event] | None = None, changes: Sequence[str] = ()
) -> tuple[SweepSpec, YamlSource]:
    """The spec of a run folder, and its source for messages. Whoever opens a folder uses this.

    Args:
        events: Those of its journal. None: it is read.
        changes: What this session changes beside what earlier ones did, as `KEY=VALUE`.

    Raises:
        SpecError: sweep.yaml, or a change, is not right.
        RunFolderError: the journal is damaged.
    """
    recorded = list(read_journal(folder.journal) if events is None else events)
    if not folder.spec.exists():
        raise RunFolderError(
            f"{folder.spec}: no such file; restore it from a copy, or from the search space that "
            "the sweep was made from"
        )
    try:
        return load_spec(folder.spec, all_overrides(recorded, changes))
    except SpecError as error:
        typed = tuple(f"--set {change.partition('=')[0]}" for change in changes)
        raise SpecError(
            [
                f"{folder.journal}: session_started: {problem}"
                if problem.startswith("--set ") and not problem.startswith(typed)
                else problem
                for problem in error.problems
            ]
        ) from None


def all_overrides(events: Iterable[Event], changes: Sequence[str] = ()) -> list[str]:
    """The overrides in a journal and then `changes`, in order; of each key only the last."""
    sessions = [event for event in events if isinstance(event, SessionStarted)]
    before = sessions[-1].overrides if sessions else ()
    by_key: dict[object, str] = {}
    for text in [*before, *changes]:
        key_path, _ = parse_override(text)
        by_key.pop(key_path, None)
        by_key[key_path] = text
    return list(by_key.values())
