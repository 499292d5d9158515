"""Which step a program's checkpoint is of, and whether it is whole. A path with `{step:d}` says so
itself. Of one that the program writes again and again it follows from where it has changed between
evaluations, at each of which the program is held."""

import time
from collections.abc import Sequence
from pathlib import Path

from sweeper.runtime.trainers.saved import Place, Signature, signature

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
        # The step that a state of the checkpoint is known to be of.
        self._of: tuple[int, Signature] | None = (
            (begins_at, self._held) if self._held and begins_at else None
        )
        self._looked = self._held  # the state at the last look
        self._surely = self._held  # the last one that was surely written before another evaluation
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

    def nothing_evaluated(self) -> None:
        """No evaluation has come since the last look: what was seen there is of the one before."""
        self._surely = self._looked

    def evaluated(self, steps: Sequence[int], *, after: bool) -> None:
        """The program has reported evaluations, and is held now.

        Args:
            after: Whether a checkpoint is written after the evaluation of its step.
        """
        now = self.state()
        before = self._surely if after else now
        if before != self._held:
            self._of = (self.evaluated_at if after else steps[-1], before)
        # Where none of an evaluation before was seen, what is there now may be of that or of this.
        unseen = self.has_evaluated and before == self._held
        if len(steps) > 1 or (unseen and now != before):
            self._of, before = None, now
        self.has_evaluated = True
        self.evaluated_at = steps[-1]
        self._held = self._looked = self._surely = before
        if self.place is not None and self.place.is_pattern:
            self._held = self._looked = self._surely = ()

    def at_most(self, step: int) -> tuple[int, Path] | None:
        """The newest whole checkpoint of at most this step."""
        if self.place is None:
            return None
        if self.place.is_pattern:
            steps = self.place.by_step()
            return max(((s, path) for s, path in steps.items() if s <= step), default=None)
        path = Path(self.place.path)
        if self._of is None or self._of[0] > step or self._of[1] != self.state():
            return None
        return self._of[0], path
