"""What a training program may not do, each in one message that says what to change."""

import signal

from sweeper.errors import TrainerError
from sweeper.runtime.trainers.job import Job
from sweeper.runtime.trainers.program.process import Process
from sweeper.runtime.trainers.program.rows import Row

LONGEST_LOOK_SECONDS = 1.0  # longer than that, no look takes by itself


class Order:
    """The steps of an attempt, which rise, and miss no evaluation."""

    def __init__(self, job: Job, begins_at: int = 0) -> None:
        self.job = job
        self.begins_at = begins_at
        self.has_spoken = False
        self._step = begins_at
        self._evaluated = begins_at
        self._objective: float | None = None  # at that step, once it was told

    def admits(self, row: Row) -> bool:
        """Whether it says something that was not said before.

        Raises:
            TrainerError: it is not this row's turn.
        """
        if (value := row.values.get(self.job.objective)) is not None and self._is_told(row, value):
            return False
        self._require(row)
        return True

    def _is_told(self, row: Row, value: float) -> bool:
        """A line may be printed twice: by a progress bar, or to two places."""
        if self._objective is None or row.step != self._evaluated:
            return False
        if repr(value) == repr(self._objective):  # also where it is no number
            return True
        if row.step < self._step:
            return False  # it goes backwards
        raise TrainerError(
            f"{self.job.objective} comes twice at step {row.step}, as {self._objective:g} and "
            f"{value:g}: have one process say it, in one place (trainer.metrics)"
        )

    def _require(self, row: Row) -> None:
        resumed = self.begins_at > 0 and not self.has_spoken
        if row.step < self._step and resumed:
            raise TrainerError(
                f"it was to go on from step {self.begins_at}, and is at step {row.step}: does it "
                "take up its checkpoint? See trainer.resume and trainer.checkpoint"
            )
        if row.step < self._step:
            raise TrainerError(f"step {row.step} comes after step {self._step}: steps must rise")
        self._require_evaluation(row)
        if (value := row.values.get(self.job.objective)) is not None:
            self._evaluated, self._objective = row.step, value
        self.has_spoken, self._step = True, row.step

    def _require_evaluation(self, row: Row) -> None:
        every = self.job.eval_every_steps
        due = min((self._evaluated // every + 1) * every, self.job.max_steps)
        if row.step <= due or self._evaluated >= self.job.max_steps:
            return
        if self.begins_at == self._evaluated > 0:
            raise TrainerError(
                f"it was to go on from step {self.begins_at}, and comes to step {row.step} without "
                f"{self.job.objective} at step {due}: is its checkpoint written {self.job.written} "
                "the metrics of its step? See trainer.checkpoint.written"
            )
        if self.job.objective not in row.values:
            told = ", ".join(row.values) or "nothing"
            raise TrainerError(
                f"step {row.step} has come ({told}), and no {self.job.objective} at step {due}: "
                f"is eval_every_steps ({every}) what the program does, and does trainer.metrics "
                "say where it is?"
            )
        raise TrainerError(
            f"{self.job.objective} comes at step {row.step}, and none came at step {due}: "
            f"eval_every_steps ({every}) must be what the program does"
        )


class Silence:
    """How long nothing has come of the program. Only the time in which we look for it counts: not
    what the sweep needs to decide, and not what passes while our own process is suspended."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._watched_s = 0.0  # since the program began
        self._silent_s = 0.0

    def watched(self, seconds: float, *, heard: bool) -> None:
        counted = min(seconds, LONGEST_LOOK_SECONDS)
        self._watched_s += counted
        self._silent_s = 0.0 if heard else self._silent_s + counted

    def require_metrics(self, process: Process, *, has_spoken: bool) -> None:
        """
        Raises:
            TrainerError: the program has said nothing of a step in a long time, or in many lines;
                or, once it has, nothing at all in a long time.
        """
        job = self.job
        if has_spoken:
            if job.silent_s is not None and self._silent_s >= job.silent_s:
                raise TrainerError(
                    f"nothing was heard of it for {self._silent_s:.0f} s (trial_timeout_s): have it"
                    f" print more often, or raise that, or set it to null; {quoted(process)}"
                )
        elif process.num_lines >= job.first_metric_lines:
            raise self._no_metrics(f"{process.num_lines} lines", process)
        elif self._watched_s >= job.first_metric_s:
            raise self._no_metrics(f"{self._watched_s:.0f} s", process)

    def _no_metrics(self, after: str, process: Process) -> TrainerError:
        return TrainerError(f"no metrics after {after}{_looked_for(self.job)}; {quoted(process)}")


def ended_early(job: Job, process: Process, step: int) -> TrainerError:
    code = process.exit_code or 0
    if code < 0:
        known = -code in set(signal.Signals)
        how = f"was ended by {signal.Signals(-code).name if known else f'signal {-code}'}"
        how += " (out of memory?)" if -code == signal.SIGKILL else ""
    else:
        how = f"ended with exit code {code}"
    reached = f"at step {step} of {job.max_steps}" if step else "before its first metrics"
    if step >= job.max_steps:
        reached += f", without {job.objective} there"
    looked = "" if step or code else _looked_for(job)
    if process.left is not None and not code:
        looked += f", and left {process.left} at work, which was ended: it has to stay until then"
    return TrainerError(f"the program {how} {reached}{looked}; {quoted(process)}")


def _looked_for(job: Job) -> str:
    stdout = " or ".join(repr(text) for text in job.stdout)
    return f" (looked for {stdout} in its output)" if stdout else f" (looked in {job.metrics_file})"


def quoted(process: Process) -> str:
    """The last that it has printed."""
    if not process.last_lines:
        return "it printed nothing"
    lines = "".join(f"\n    {line[:200]}" for line in process.last_lines)
    hint = ""
    if any("\0" in line or "\ufffd" in line for line in process.last_lines):
        hint = "\n(its output is not in UTF-8)"
    return f"its last lines:{lines}{hint}"
