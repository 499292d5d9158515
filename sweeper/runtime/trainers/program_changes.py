"""Whether the program of another trainer is still what it was as the session began: it is started
anew for each attempt, from the folder that its author may be at work in."""

import time
from collections.abc import Callable

from sweeper.engine.session.fingerprint import differences, program_fingerprint
from sweeper.engine.sweep import Sweep
from sweeper.errors import TrainerError
from sweeper.record.state.events import Fingerprint
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.watcher import Watcher

LOOK_EVERY_SECONDS = 5.0
MOST_OF_THE_TIME = 0.02  # git takes a while in a large folder


class ProgramChanges(Watcher):
    """Tells each change once."""

    def __init__(self, sweep: Sweep, say: Callable[[str], None]) -> None:
        self.sweep = sweep
        self.say = say
        before = sweep.state.sessions[-1].environment.fingerprint
        self._before = Fingerprint(code=before.code)
        self._told: list[str] = []
        self._due = 0.0

    def refresh(self, state: SweepState) -> None:
        began = time.monotonic()
        if self.sweep.plan.spec.trainer is None or began < self._due:
            return
        self._look()
        now = time.monotonic()
        self._due = now + max(LOOK_EVERY_SECONDS, (now - began) / MOST_OF_THE_TIME)

    def _look(self) -> None:
        trainer = self.sweep.plan.spec.trainer
        assert trainer is not None
        try:
            found = differences(self._before, Fingerprint(code=program_fingerprint(trainer)))
        except TrainerError as error:  # each attempt will tell it, too
            found = [str(error)]
        if found and found != self._told:
            self.say(
                f"{trainer.folder}: {', '.join(found)} since this session began. What starts from "
                "now on runs as it is now, and its results do not compare with those before: put "
                "back what was there, or stop the sweep and run it anew."
            )
        self._told = found
