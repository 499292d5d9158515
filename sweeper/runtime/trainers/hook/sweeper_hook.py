"""A training script's side of a sweep. This one file needs nothing else: copy it beside the script.

    from sweeper_hook import trial

    for step in range(first_step, max_steps + 1):
        ...
        if step % 250 == 0:
            trial.report(step, val_loss=evaluate())
        if trial.should_stop(step):
            save()
            raise SystemExit

Outside a sweep `report` does nothing and `should_stop` says no. `hugging_face()` and `lightning()`
are callbacks for those who let others loop.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any


class Trial:
    """The trial that this process is; of several processes the one with RANK 0 speaks."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.folder = environment.get("SWEEPER_TRIAL_DIR")  # its own, for whatever it writes
        self.resume_from = environment.get("SWEEPER_RESUME_FROM")  # the checkpoint to go on from
        self.settings: dict[str, Any] = json.loads(environment.get("SWEEPER_SETTINGS", "{}"))
        self._metrics = environment.get("SWEEPER_METRICS")
        self._answer = environment.get("SWEEPER_STOP_AT")
        self._speaks = environment.get("RANK", "0") == "0"
        self._reported: int | None = None

    @property
    def checkpoint(self) -> Path:
        """Where a function saves itself, to a file or a folder."""
        return Path(self.folder or ".") / "checkpoint"

    def report(self, step: int, **metrics: float) -> None:
        """Say what was measured after so many steps, as `report(250, val_loss=2.31)`."""
        if self._metrics is not None:
            values = {name: float(value) for name, value in metrics.items()}
            self._write({"step": int(step), **values})
            self._reported = int(step)

    def should_stop(self, step: int) -> bool:
        """Whether to save a checkpoint of this step and end. Waits for what the sweep decides on
        the last report."""
        if self._answer is None:
            return False
        word, answered = self._read(self._answer)
        while self._reported is not None and answered < self._reported:
            time.sleep(0.002)
            word, answered = self._read(self._answer)
        if word == "stop":
            self._write({"step": int(step), "stops": True})
        return word == "stop"

    def _read(self, file: str) -> tuple[str, int]:
        try:
            word, step = Path(file).read_text(encoding="utf-8").split()
            return word, int(step)
        except (OSError, ValueError):
            return "go", -1

    def _write(self, row: Mapping[str, float]) -> None:
        if self._speaks and self._metrics is not None:
            # In one write, and past every buffer: the line is there when this returns.
            with open(self._metrics, "ab", buffering=0) as file:
                file.write(json.dumps(row).encode() + b"\n")


trial = Trial()


def hugging_face(metric: str = "eval_loss") -> Any:
    """A callback for Hugging Face's Trainer, beside `resume_from_checkpoint=trial.resume_from`."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **_: Any) -> None:
            trial.report(state.global_step, val_loss=metrics[metric])
            self._ask(state, control)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not control.should_evaluate:  # after that, it asks
                self._ask(state, control)

        def _ask(self, state: Any, control: Any) -> None:
            if trial.should_stop(state.global_step):
                control.should_save = control.should_training_stop = True

    return Callback()


def lightning(metric: str = "val_loss") -> Any:
    """A callback for Lightning's Trainer, beside `fit(..., ckpt_path=trial.resume_from)`."""
    from lightning.pytorch import Callback as Base

    class Callback(Base):  # type: ignore[misc]
        def on_validation_end(self, trainer: Any, module: Any) -> None:
            if not trainer.sanity_checking:
                trial.report(trainer.global_step, val_loss=trainer.callback_metrics[metric])
                self._ask(trainer)

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            self._ask(trainer)

        def _ask(self, trainer: Any) -> None:
            if trial.should_stop(trainer.global_step):
                trainer.save_checkpoint(trial.checkpoint)
                raise SystemExit

    return Callback()


def run(reference: str) -> None:
    """Run a function, named as MODULE:NAME, as a trial's program. It is called with the trial. A
    generator yields a dict a report, with its `step`; another function calls `trial.report`. Both
    ask `trial.should_stop(step)`, save to `trial.checkpoint` and return."""
    sys.modules["sweeper_hook"] = sys.modules["__main__"]  # whoever imports it has this trial
    sys.path.insert(0, os.getcwd())
    module, _, name = reference.partition(":")
    said = getattr(importlib.import_module(module), name)(trial)
    if isinstance(said, Generator):
        for row in said:
            trial.report(row["step"], **{key: row[key] for key in row if key != "step"})


if __name__ == "__main__":
    run(sys.argv[1])
