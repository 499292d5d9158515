"""Which step a program's checkpoint is of, and whether it is whole. A path with `{step:d}` says so
itself. Of one that the program writes again and again it follows from where it has changed between
evaluations, at each of which the program is held.

It is whole when its marker is new. Where none is stated: when nothing of the program has it open,
it has not changed for a while, and it came by a rename or the program has gone on since. Of a file
any word of the program says so; a folder is written file by file, maybe with words between them,
so only metrics of a later step do.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from sweeper.runtime.trainers.place import Place, Signature, is_renamed, signature
from sweeper.runtime.trainers.program.process import Process

SETTLED_SECONDS = 0.1  # in which a checkpoint has not changed


class Newest:
    """The program's newest checkpoint.

    Args:
        after: Whether a checkpoint is written after the evaluation of its step.
        begins_at: The step that the program begins at; the checkpoint that is there is of it.
    """

    def __init__(self, place: Place | None, *, after: bool, begins_at: int = 0) -> None:
        self.place = place
        self.process: Process | None = None  # once it is started
        self.after = after
        self.stopped_at: int | None = None  # the step at which it has saved itself when asked
        self.evaluated_at = begins_at
        self.has_evaluated = False
        self._told = begins_at  # the last step that it has told of
        self._held = self.state()  # before that was said
        # The step that a state of the checkpoint is known to be of.
        self._of: tuple[int, Signature] | None = (
            (begins_at, self._held) if self._held and begins_at else None
        )
        self.looked = self._held  # the state at the last look
        self._surely = self._held  # the last one that was surely written before another evaluation
        # Since it was like that; whether the program has said anything, and at what step it was.
        self._changed_at, self._spoke, self._told_before = 0.0, True, begins_at

    def state(self) -> Signature:
        """Of the checkpoint of the last evaluation, and of its marker."""
        if self.place is None:
            return ()
        path = self.place.at(self.evaluated_at)
        marker = self.place.marker_of(path)
        beside = () if marker is None or marker.is_relative_to(path) else signature(marker)
        return (*signature(path), *beside)

    def look(self) -> None:
        """To be called again and again while the program runs, before its lines are read."""
        if (state := self.state()) != self.looked:
            self.looked, self._changed_at = state, time.monotonic()
            self._spoke, self._told_before = False, self._told

    def told(self, step: int) -> None:
        """The program has told of a step, after the last look."""
        self._told = max(self._told, step)

    def heard(self) -> None:
        """The program has said something after the last look."""
        self._spoke = True

    @property
    def has_changed(self) -> bool:
        """Whether the checkpoint of the last evaluation has appeared, whole or not."""
        return self.looked not in ((), self._held)

    def seems_whole(self, *, ended: bool) -> bool:
        """Whether it can be copied."""
        if self.place is None or not self.has_changed or not self._path.exists():
            return False
        if self.place.marker is not None:
            return self._is_marked(self.looked)
        quiet = ended or time.monotonic() - self._changed_at > SETTLED_SECONDS
        return quiet and not (self.process is not None and self.process.writes(self._path))

    @property
    def is_proven(self) -> bool:
        """Whether it is whole, if it seems so."""
        assert self.place is not None
        if self.place.marker is not None or is_renamed(self._path):
            return True
        if not self._path.is_dir():
            return self._spoke
        return self._told > max(self._told_before, self.evaluated_at)

    @property
    def _path(self) -> Path:
        assert self.place is not None
        return self.place.at(self.evaluated_at)

    def _is_marked(self, state: Signature) -> bool:
        """Whether the marker, where one is stated, is another than at the last evaluation."""
        assert self.place is not None
        marker = self.place.marker_of(self._path)
        return marker is None or any(
            entry[0] == str(marker) and entry not in self._held for entry in state
        )

    def nothing_evaluated(self) -> None:
        """No evaluation has come since the last look: what was seen there is of the one before."""
        self._surely = self.looked

    def evaluated(self, steps: Sequence[int]) -> None:
        """The program has reported evaluations, and is held now."""
        now = self.state()
        before = self._surely if self.after else now
        if before != self._held:
            step = self.evaluated_at if self.after else steps[-1]
            self._of = (step, before) if self._is_marked(before) else None
        # Where none of an evaluation before was seen, what is there now may be of that or of this.
        unseen = self.has_evaluated and before == self._held
        if len(steps) > 1 or (unseen and now != before):
            self._of, before = None, now
        self.has_evaluated = True
        self.evaluated_at = steps[-1]
        if self.place is not None and self.place.is_pattern:
            # Whatever is at the path of this step is of it; a marker may be of the one before.
            marker = str(self.place.marker_of(self._path))
            before = tuple(entry for entry in before if entry[0] == marker)
        self._held = self.looked = self._surely = before

    def at_most(self, step: int) -> tuple[int, Path] | None:
        """The newest whole checkpoint of at most this step."""
        if self.place is None:
            return None
        if self.place.is_pattern:
            there = self.place.by_step().items()
            whole = [(at, path) for at, path in there if at <= step and self._is_whole(at, path)]
            return max(whole, default=None)
        path = Path(self.place.path)
        if self._of is None or self._of[0] > step or self._of[1] != self.state():
            return None
        return self._of[0], path

    def _is_whole(self, step: int, path: Path) -> bool:
        """Of one whose path tells its step. The program has gone on since, or held at the
        evaluation that comes after it."""
        assert self.place is not None
        if (marker := self.place.marker_of(path)) is not None and not marker.exists():
            return False
        if not self.has_evaluated:
            return step <= self.evaluated_at  # put back
        return step < self._told or (step == self._told and not self.after)
