"""A training program of whatever kind as the loop of a trial: `train` yields what it says of its
steps, `save` keeps the checkpoint that it has written.

At each evaluation the program is held until the sweep has decided, so that the checkpoint of that
step is the newest there is. If it is to be kept and comes after the line of metrics, the program
goes on until the file is whole, and is held again.
"""

import math
import sys
import time
from collections import deque
from collections.abc import Iterator
from heapq import merge
from pathlib import Path

from sweeper.record.run_folder import CHECKPOINT_FILE, OUTPUT_FILE
from sweeper.record.state.checkpoints import checkpoint_folders
from sweeper.runtime.trainers import faults
from sweeper.runtime.trainers.job import Job
from sweeper.runtime.trainers.newest import Newest
from sweeper.runtime.trainers.place import Signature, signature
from sweeper.runtime.trainers.program.process import Process
from sweeper.runtime.trainers.program.rows import JsonLines, Row, printed_rows
from sweeper.runtime.trainers.saved import (
    Kept,
    keep,
    keep_again,
    note_fruitless_start,
    put_back,
    remove,
    restored,
)
from sweeper.runtime.trainers.work_folder import alone, clear
from trainable.errors import CheckpointError
from trainable.loop.metrics import Metrics

LOOK_SECONDS = 0.05  # between two looks at files
BREATH_SECONDS = 0.5  # after which a caller hears that there is nothing to hear


class CommandTrainer:
    """A program's run: the steps done so far, and the checkpoint to go on from.

    Args:
        resume_from: What `save` has written.

    Raises:
        CheckpointError: that is damaged, or the program has failed with it before.
        TrainerError: the job cannot be.
    """

    def __init__(self, job: Job, *, resume_from: Path | None = None) -> None:
        self.job = job
        self.place = job.place
        self.patterns = job.patterns
        self.step = 0
        self.process: Process | None = None
        self._from = resume_from  # the file of the checkpoint to start from
        self._resumed = False
        self._awaits_evaluation = False  # the last row was of training alone
        self._rows: deque[Row] = deque()  # read, and not yielded yet
        self._order = faults.Order(job)
        self._silence = faults.Silence(job)
        self._newest = Newest(self.place, after=self._saves_after)
        self._lines: JsonLines | None = None
        if resume_from is not None:
            self.step = restored(resume_from).step

    def train(self) -> Iterator[Metrics | None]:
        """Run to the last step, yielding what the program says of each; None where it says nothing
        for a while.

        Raises:
            TrainerError: the program cannot be started, or does what no program may.
        """
        try:
            while self.step < self.job.max_steps or self._awaits_evaluation:
                if self.process is None:
                    self._start()
                if (row := self._next_row()) is None:
                    yield None
                    continue
                self.step = row.step
                self._awaits_evaluation = not self._is_evaluation(row)
                metrics = self._metrics(row)
                yield metrics
                if metrics.diverged:
                    break
                self._let_go()
        except Exception:
            self.close()
            raise

    def save(self, path: Path) -> int:
        """Keep the newest checkpoint of at most the step that was yielded last. The step that the
        program will go on from; where it has written none, that of the one before."""
        earlier = self._source()  # before anything is here that is not whole in the end
        path.parent.mkdir(parents=True, exist_ok=True)
        if (kept := self._keep_own(path)) is not None:
            pass
        elif self.step >= self.job.max_steps:
            kept = keep(path, self.step, None)
        elif earlier is not None:
            kept = keep_again(path, earlier)
        else:
            kept = keep(path, 0, None)
        self._from = path
        return kept.step

    def close(self) -> None:
        """End the program, and all that it has started."""
        if self.process is not None:
            self.process.end(self.job.signal, self.job.grace_s)
            if self.process.left is not None:
                left = f"{self.job.command}: left behind when it ended, and killed"
                print(f"sweeper: {left}: {self.process.left}", file=sys.stderr)
            self.process = None

    def _source(self) -> Path | None:
        """The newest checkpoint of ours that is not beyond the step."""
        if self._from is not None and self._from.exists():
            return self._from
        for folder in checkpoint_folders(self.job.trial_dir.parent):  # where Tune has put it
            try:
                if Kept.read(folder / CHECKPOINT_FILE).step <= self.step:
                    return folder / CHECKPOINT_FILE
            except CheckpointError:
                continue
        return None

    def _start(self) -> None:
        with alone(self.job.trial_dir, self.job.grace_s) as claim:
            resumed = self._prepare()
            self.process = Process(
                self.job.arguments(resumed, self.step),
                folder=self.job.folder,
                environment=self.job.environment(resumed),
                log=self.job.trial_dir.parent / OUTPUT_FILE,
                claim=claim,
            )
        self._newest.process = self.process

    def _prepare(self) -> Path | None:
        """Put everything where the program expects it. The checkpoint that it is to go on from."""
        job, source, resumed = self.job, self._source(), None
        kept = None if source is None else restored(source)
        if source is None or kept is None or kept.path is None:
            self.step = 0
            clear(job.trial_dir)
        else:
            assert self.place is not None
            self.step, resumed = kept.step, self.place.like(kept.path, kept.step)
            for step, path in self.place.by_step().items():
                if step > kept.step:
                    remove(path)
            job.trial_dir.mkdir(parents=True, exist_ok=True)
            put_back(source, resumed)
        job.answer_file.unlink(missing_ok=True)
        self._from, self._resumed = source, resumed is not None
        self._rows.clear()
        self._order = faults.Order(job, begins_at=self.step)
        self._silence = faults.Silence(job)
        self._newest = Newest(self.place, after=self._saves_after, begins_at=self.step)
        self._lines = JsonLines(job.metrics_file, begins_at=self.step)
        return resumed

    @property
    def _saves_after(self) -> bool:
        return self.job.written == "after"

    def _next_row(self) -> Row | None:
        """The next thing that it says of a step; None after a while without.

        Raises:
            TrainerError: it has ended, or says what cannot be.
        """
        assert self.process is not None
        deadline = time.monotonic() + BREATH_SECONDS
        while not self._rows and time.monotonic() < deadline:
            began, num_bytes = time.monotonic(), self.process.num_bytes
            told = self._listen()
            heard = told or self.process.num_bytes > num_bytes
            self._silence.watched(time.monotonic() - began, heard=heard)
            if self._rows:
                break
            if self.process.has_ended:
                if self._resumed and not self._order.has_spoken and self._from is not None:
                    note_fruitless_start(self._from)
                raise faults.ended_early(self.job, self.process, self.step)
            self._silence.require_metrics(self.process, has_spoken=self._order.has_spoken)
        return self._rows.popleft() if self._rows else None

    def _listen(self) -> bool:
        """Take what it says within an instant; whether that is anything of a step. At an evaluation
        it is held."""
        assert self.process is not None and self._lines is not None
        self._newest.look()
        lines = self.process.lines(LOOK_SECONDS)
        printed = printed_rows(lines, self.patterns)
        written = self._lines.rows(ended=self.process.has_ended)
        said = merge(printed, written, key=lambda row: row.step)
        rows = [row for row in said if self._order.admits(row)]
        evaluated = [row.step for row in rows if self._is_evaluation(row)]
        if evaluated and not self.process.has_ended:
            self.process.hold()
        for row in rows:
            self._newest.told(row.step)
            if row.stops:
                self._newest.stopped_at = row.step
            elif row.step > 0:
                self._rows.append(row)
        if evaluated:
            self._newest.evaluated(evaluated)
            return True
        self._newest.nothing_evaluated()
        if lines or rows:
            self._newest.heard()
        return bool(rows)

    def _let_go(self) -> None:
        """Let it go on, unless it waits at an evaluation that is still to be told."""
        self._tell(f"go {self.step}")
        if self.process is not None and not self._has_evaluation:
            self.process.go_on()

    @property
    def _has_evaluation(self) -> bool:
        return any(map(self._is_evaluation, self._rows))

    def _is_evaluation(self, row: Row) -> bool:
        """Before the first step there is nothing to judge."""
        return self.job.objective in row.values and row.step > 0

    def _tell(self, word: str) -> None:
        """Answer `sweeper_hook`."""
        new = self.job.answer_file.with_suffix(".new")
        new.parent.mkdir(parents=True, exist_ok=True)  # a program may begin by removing it
        new.write_text(word, encoding="utf-8")
        new.replace(self.job.answer_file)

    def _keep_own(self, path: Path) -> Kept | None:
        """Keep the newest whole checkpoint of the program's own, which is then held."""
        if self.process is None or self.place is None:
            return None
        if self.job.written == "asked":
            asked = self._asked()
            return None if asked is None else keep(path, *asked)
        if self._saves_after and (kept := self._keep_once_whole(path)) is not None:
            return kept
        if not self.process.has_ended:
            self.process.hold()
        newest = self._newest.at_most(self.step)
        return None if newest is None else keep(path, *newest)

    def _keep_once_whole(self, path: Path) -> Kept | None:
        """Let it go on until the checkpoint of its last evaluation is whole. It is copied once it
        seems to be: after the next evaluation it is written over."""
        assert self.process is not None and self.place is not None
        newest, step = self._newest, self._newest.evaluated_at
        kept: Kept | None = None
        copied: Signature = ()
        there: Signature = ()
        is_proven = False
        if self._has_evaluation or not newest.has_evaluated:
            return None
        self.process.go_on()
        while not self._has_evaluation and (newest.has_changed or step == self.step):
            ended = self.process.has_ended
            newest.look()
            if ended:
                self._listen()  # to its last words
                if self._has_evaluation:
                    break
            kept = kept if newest.looked == copied else None
            if kept is None and newest.seems_whole(ended=ended):
                kept, copied = self._copied(path, step), newest.looked
                there = signature(self.place.at(step))
            is_proven = kept is not None and (newest.is_proven or self.process.exit_code == 0)
            if is_proven or ended:
                kept = kept if is_proven else None
                break
            self._listen()
        self.process.hold()
        # The rest may have come with the next evaluation.
        return kept if is_proven or there == signature(self.place.at(step)) else None

    def _copied(self, path: Path, step: int) -> Kept | None:
        """Keep the checkpoint of the last evaluation, if it stays as it was at the last look: one
        that came since may be of the next, of which nothing has been read yet."""
        assert self.place is not None
        try:
            kept = keep(path, step, self.place.at(step))
        except FileNotFoundError:
            return None
        return kept if self._newest.state() == self._newest.looked else None

    def _asked(self) -> tuple[int, Path] | None:
        """Ask it to save itself and to end."""
        assert self.process is not None and self.place is not None
        process, before = self.process, self._newest.state()
        self._tell(f"stop {self.job.max_steps}")
        self.process.go_on()
        deadline = time.monotonic() + self.job.grace_s
        while not self.process.has_ended and time.monotonic() < deadline:
            self._listen()
            if self._newest.stopped_at is not None:
                break
        late = self._has_evaluation  # one that nobody has judged: the checkpoint is beyond it
        self.process.end(0, max(0.0, deadline - time.monotonic()))
        self.process = None
        self._rows.clear()
        step = self._newest.stopped_at
        if step is None or late or process.exit_code != 0:
            return None  # it has failed to save itself, or was too late
        path = self.place.at(step)
        is_new = self.place.is_pattern or self._newest.state() != before
        return (step, path) if is_new and path.exists() else None

    def _metrics(self, row: Row) -> Metrics:
        value = row.values.get(self.job.objective, 0.0)
        return Metrics.of_numbers(row.step, {**row.values, "diverged": not math.isfinite(value)})
