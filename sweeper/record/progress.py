"""What a checkpoint says of its trial: the step that it was made at, and what was measured on the
way there. A kill may come between a checkpoint and the journal's word of those evaluations; the
next session records them from here, and the trial need not go back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.record.run_folder import write_json
from sweeper.record.state.checkpoints import PROGRESS_FILE
from sweeper.record.state.events import Whole
from sweeper.spec.trainer.config import AnyConfig
from sweeper.typed_json import read_json
from trainable.loop.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Of a checkpoint; `metrics` are those since the trial's checkpoint before."""

    step: Whole
    metrics: tuple[Metrics, ...]

    def write(self, checkpoint: Path) -> None:
        rows = [metrics.to_dict() for metrics in self.metrics]
        write_json(checkpoint / PROGRESS_FILE, {"step": self.step, "metrics": rows})


def read_progress(checkpoint: Path) -> Progress | None:
    """The progress in a checkpoint; None if an older version wrote it, or a kill has torn it."""
    try:
        return read_json(Progress, (checkpoint / PROGRESS_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def carried_metrics(checkpoints: Sequence[Path]) -> list[Metrics]:
    """The metrics that these checkpoints of a trial carry, in order of step."""
    carried = [progress for path in checkpoints if (progress := read_progress(path)) is not None]
    by_step = {metrics.step: metrics for progress in carried for metrics in progress.metrics}
    return [by_step[step] for step in sorted(by_step)]


def unrecorded(checkpoints: Sequence[Path], config: AnyConfig, evaluated: int) -> list[Metrics]:
    """The metrics that these checkpoints of a trial carry from beyond its last recorded evaluation,
    in order of step, up to the first evaluation that is missing.

    Args:
        evaluated: The step of the last recorded evaluation; 0 if there is none.
    """
    late: list[Metrics] = []
    for metrics in carried_metrics(checkpoints):
        if metrics.step <= evaluated:
            continue
        if misses_evaluation(config, late[-1].step if late else evaluated, metrics.step - 1):
            break
        late.append(metrics)
    return late


def misses_evaluation(config: AnyConfig, after: int, until: int) -> bool:
    """Whether an evaluation is due after step `after` and no later than step `until`."""
    every = config.eval_every_steps
    due = min((after // every + 1) * every, config.max_steps)
    return after < due <= until
