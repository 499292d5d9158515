"""A sweep that stops itself within what `max_spend` allows."""

import time
from collections.abc import Callable

from sweeper.engine.session.spending import Spending, ending, spend_remedy, spend_text
from sweeper.engine.sweep import Sweep
from sweeper.record.state.events import now

LOOK_EVERY_SECONDS = 1.0


class Budget:
    """Ends the session, as SIGTERM does, so early that trials can save themselves within it."""

    def __init__(self, sweep: Sweep, end: Callable[[], None], say: Callable[[str], None]) -> None:
        self.sweep = sweep
        self.end = end
        self.say = say
        self._spending = Spending(sweep.state)
        self._due = 0.0
        self._over = sweep.plan.spec.max_spend is None

    def look(self) -> None:
        """Called several times a second."""
        if self._over or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK_EVERY_SECONDS
        if (reached := self._spending.reached(now() + ending(self.sweep.plan.spec))) is None:
            return
        self._over = True
        self.sweep.spend_reached(reached)
        remedy = spend_remedy(reached, self.sweep.folder)
        self.say(f"{spend_text(reached)}. What runs is being checkpointed; {remedy}")
        self.end()
