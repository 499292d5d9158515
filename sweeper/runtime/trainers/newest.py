"""Which step a program's checkpoint is of, and whether it is whole. A path with `{step:d}` says so
itself. Of one that the program writes again and again it follows from where it has changed between
evaluations, at each of which the program is held."""

import time
from collections.abc import Sequence
from pathlib import Path

from sweeper.runtime.trainers.saved import Place, Signature, signature

LOOKS = 2  # that come between two evaluations
SETTLED_SECONDS = 0.1  # in which a checkpoint has not changed


class Newest:
    """The program's newest checkpoint.

    Args:
        begins_at: The step that the program begins at; the checkpoint that is there is of it.
    """

    def __init__(self, place: Place | None, begins_at: int = 0) -> None:
        self.place = place
        self.stopped_at: int | None = None  # the step at which it has saved itself when asked
        self.evaluated_at = begins_at
        self.has_evaluated = False
        self._held = self.state()  # before that was said
        self._of: int | None = begins_at if self._held and begins_at else None
        self._looked, self._looks = self._held, 0  # the state at the last look; looks since then
        self._changed_at, self._spoke = 0.0, True  # since it was like that

    def state(self) -> Signature:
        if self.place is None:
            return ()
        if self.place.is_pattern:
            here = self.place.by_step().get(self.evaluated_at)
            return () if here is None else signature(here)
        return signature(Path(self.place.path))

    def look(self) -> None:
        """To be called again and again while the program runs, before its lines are read."""
        if (state := self.state()) != self._looked:
            self._looked, self._changed_at, self._spoke = state, time.monotonic(), False
        self._looks += 1

    def heard(self) -> None:
        """The program has said something after the last look."""
        self._spoke = True

    @property
    def has_changed(self) -> bool:
        """Whether the checkpoint of the last evaluation has appeared, whole or not."""
        return self._looked not in ((), self._held)

    @property
    def settled(self) -> Signature | None:
        """The state of that checkpoint, if it has not changed for a while, or is marked whole."""
        quiet = time.monotonic() - self._changed_at > SETTLED_SECONDS
        return self._looked if self.has_changed and (quiet or self._is_marked) else None

    @property
    def is_proven(self) -> bool:
        """Whether it is whole, if it has settled."""
        return self._spoke or self._is_marked

    @property
    def _is_marked(self) -> bool:
        return self.place is not None and self.place.is_marked(self.place.at(self.evaluated_at))

    def evaluated(self, steps: Sequence[int], *, after: bool) -> None:
        """The program has reported evaluations, and is held now.

        Args:
            after: Whether a checkpoint is written after the evaluation of its step.
        """
        before = self._looked if after else self.state()
        if before != self._held:
            self._of = self.evaluated_at if after else steps[-1]
        # A program that is as fast as we look has written, and nobody knows which step that is of.
        if len(steps) > 1 or (after and self._looks < LOOKS and self.state() != self._held):
            self._of, before = None, self.state()
        self.has_evaluated = True
        self.evaluated_at, self._held, self._looked, self._looks = steps[-1], before, before, 0
        if self.place is not None and self.place.is_pattern:
            self._held = self._looked = ()

    def at_most(self, step: int) -> tuple[int, Path] | None:
        """The newest whole checkpoint of at most this step."""
        if self.place is None:
            return None
        if self.place.is_pattern:
            steps = self.place.by_step()
            return max(((s, path) for s, path in steps.items() if s <= step), default=None)
        path = Path(self.place.path)
        if self._of is None or self._of > step or not path.exists():
            return None
        return self._of, path
