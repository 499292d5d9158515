"""What became of a sweep's slots: training, and all that is not.

    python -m sweeper run search_spaces/lr.yaml --name utilisation
    python benchmarks/utilisation.py runs/utilisation

Of slots x makespan, start-up aside: from the first step of the first trial (its first report less
the seconds that it says it has trained) to the end of the last trial. Read from the journal.

    training    the trials' own `train_seconds`, evaluations included
    within      a trial's other time: building the model, restoring, saving checkpoints, the way of
                each report to the driver and back
    between     a slot without a trial, while there were others to come
    at the end  a slot without a trial, when none was left to hand out
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sweeper.record.journal import read_journal
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import (
    AttemptFailed,
    Evaluated,
    Event,
    SessionEnded,
    SessionStarted,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)


@dataclass(frozen=True)
class Attempt:
    """A trial in a slot; in seconds since the epoch."""

    started: float
    ended: float
    trained: float  # seconds of it
    first_report: float | None
    first_trained: float  # seconds up to the first report


def attempts_of(events: Iterable[Event]) -> list[Attempt]:
    """Of an uninterrupted session, in the order of their ends."""
    started: dict[str, float] = {}
    trained: dict[str, float] = {}  # so far, over all attempts
    before: dict[str, float] = {}  # this attempt
    first: dict[str, tuple[float, float]] = {}
    attempts = []
    for event in events:
        now = event.time.timestamp()
        match event:
            case TrialStarted(trial=trial):
                started[trial], before[trial] = now, trained.get(trial, 0.0)
                first.pop(trial, None)
            case Evaluated(trial=trial):
                trained[trial] = event.metrics.train_seconds or 0.0
                first.setdefault(trial, (now, trained[trial] - before[trial]))
            case TrialPaused() | AttemptFailed() | TrialEnded() if event.trial in started:
                seconds = trained.get(event.trial, 0.0) - before[event.trial]
                moment, so_far = first.get(event.trial, (None, 0.0))
                attempts.append(Attempt(started.pop(event.trial), now, seconds, moment, so_far))
    return attempts


def main() -> None:
    folder = RunFolder(Path(sys.argv[1]))
    events = list(read_journal(folder.journal))
    sessions = [event for event in events if isinstance(event, SessionStarted)]
    if len(sessions) != 1 or not isinstance(events[-1], SessionEnded):
        sys.exit(f"{folder.path}: not one whole session: what was idle in between is not known")
    assert sessions[0].placement is not None, "what `run` places is noted"
    slots = sessions[0].placement.slots
    attempts = attempts_of(events)
    begins = [a.first_report - a.first_trained for a in attempts if a.first_report is not None]
    begin, end = min(begins), max(a.ended for a in attempts)
    makespan = end - begin
    training = sum(a.trained for a in attempts)
    occupied = sum(a.ended - max(a.started, begin) for a in attempts)
    last_handed_out = max(a.started for a in attempts)
    at_the_end = slots * (end - last_handed_out) - sum(
        max(0.0, a.ended - last_handed_out) for a in attempts
    )
    whole = slots * makespan
    rows = {
        "training": training,
        "within": occupied - training,
        "between": whole - occupied - at_the_end,
        "at the end": at_the_end,
    }
    print(f"{len(attempts)} attempts on {slots} slots, {makespan:.1f} s from the first step on")
    print(f"start-up aside: {begin - attempts_start(events):.1f} s before it")
    for name, seconds in rows.items():
        print(f"{name:>12} {seconds:8.1f} slot seconds  {seconds / whole:6.1%}")
    print(
        f"utilisation {training / whole:.3f}; but for the end {training / (whole - at_the_end):.3f}"
    )


def attempts_start(events: list[Event]) -> float:
    return events[0].time.timestamp()


if __name__ == "__main__":
    main()
