"""The output folder of a run: every file name in it, and what may be deleted."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainable.atomic_file import write_atomically
from trainable.config import TrainConfig
from trainable.loop.report import Report


class OutputFolder:
    """The files of one run. Making the object makes no folder; the first write does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config_file = root / "config.json"
        self.metrics_file = root / "metrics.jsonl"
        self.wandb_file = root / "wandb.json"
        self.final_checkpoint = root / "final_checkpoint.pt"

    def checkpoint(self, step: int) -> Path:
        return self.root / f"checkpoint_step_{step}.pt"

    def checkpoints(self) -> list[Path]:
        """All checkpoints that are there, the one written last first."""
        paths = [*self.root.glob("checkpoint_step_*.pt"), *self.root.glob("final_checkpoint.pt")]
        return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def checkpoint_steps(self) -> list[int]:
        """Steps of the checkpoints that are there, newest first."""
        matches = (
            re.fullmatch(r"checkpoint_step_(\d+)\.pt", path.name)
            for path in self.root.glob("checkpoint_step_*.pt")
        )
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    def begin(self, config: TrainConfig, *, step: int) -> None:
        """Write the config; keep of the metrics what comes before `step`, so none is doubled."""
        self.root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config.to_dict(), indent=2) + "\n"
        write_atomically(self.config_file, lambda file: file.write(text.encode()))
        kept = [json.dumps(line) + "\n" for line in self.read_metrics() if line["step"] <= step]
        write_atomically(self.metrics_file, lambda file: file.write("".join(kept).encode()))

    def append_metrics(self, report: Report) -> None:
        with self.metrics_file.open("a") as file:
            file.write(json.dumps(report.to_dict()) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The reports written so far; a last line cut short by a crash is left out."""
        if not self.metrics_file.exists():
            return []
        lines = self.metrics_file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def prune_checkpoints(self, keep: int, *, step: int) -> list[Path]:
        """Delete all but the newest `keep` checkpoints and the best; the paths deleted.

        What lies beyond `step` is of an earlier run in this folder, and is neither counted nor
        deleted.
        """
        steps = [other for other in self.checkpoint_steps() if other <= step]
        kept = {*steps[:keep], best_step(steps, self.read_metrics())}
        deleted = [self.checkpoint(step) for step in steps if step not in kept]
        for path in deleted:
            path.unlink()
        return deleted


def best_step(steps: Iterable[int], metrics: list[dict[str, Any]]) -> int | None:
    """The step whose validation loss is lowest, of those that were evaluated at that very step."""
    losses = {line["step"]: line["val_loss"] for line in metrics if line["val_loss"] is not None}
    return min((step for step in steps if step in losses), key=lambda s: losses[s], default=None)
