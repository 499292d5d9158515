"""A trial as Tune runs it: the training loop, in slices, in a Ray actor."""

import gc
import sys
from pathlib import Path
from typing import Any

import ray._raylet
from ray import tune
from ray.train._internal.storage import _VALIDATE_STORAGE_MARKER_FILENAME
from ray.tune.result import SHOULD_CHECKPOINT

from sweeper.corpus.in_bucket import on_this_machine
from sweeper.errors import storage_error
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.checkpoints import checkpoint_number
from sweeper.record.stores.places import settle
from sweeper.record.submission.code import code_here
from sweeper.runtime.process_state import ProcessState
from sweeper.runtime.stack import stack_if_longer
from sweeper.runtime.trainers.starting import starter
from sweeper.runtime.trial_loop import TrialLoop, load_trainer
from sweeper.spec.trainer.section import TrainerSpec
from sweeper.spec.trainer.settings import known_settings
from trainable.config import TrainConfig

# A slice ends at an evaluation; between two of them it ends after this long, so that the driver
# sees progress and can pause the trial.
SLICE_SECONDS = 2.0
NOTED_AFTER = 0.8  # of the time after which a silent trial is killed


class TrialActor(tune.Trainable):  # type: ignore[misc]  # Ray is untyped
    """Runs one trial after another in one process (Tune reuses the actor).

    The config that Tune hands over has these keys: `train`, the settings; `data`, the address of
    the tokens, if they are in a bucket; `processes`, how many
    share the trial, and `num_threads` of each; `trainer`, the class of the loop as `module:name`,
    or `program`, the `trainer:` section of another one; `folder`, the trial's, and `bucket`, the
    address where its run is kept, if that is one; `evaluated_by`, the metric that makes metrics an
    evaluation; `forks_at`, the steps of checkpoints that others fork from; `evaluated`, the step of
    the last evaluation in the journal; `title`, what people call the trial; `timeout_s`, after
    which a silent trial is killed; and `stack`, the file in which it notes before that where it is.
    """

    process_state: ProcessState | None = None  # as it was before the first trial

    def setup(self, config: dict[str, Any]) -> None:
        self.title: str = config["title"]
        self.run_folder = RunFolder(Path(config["folder"]).parent.parent)
        if config["bucket"] is not None:
            work_here(self.run_folder, config["bucket"])
        program: TrainerSpec | None = config["program"]
        if program is not None:
            code_here(self.run_folder, program.folder)
        self.train_config = known_settings(program).config(config["train"])
        if isinstance(self.train_config, TrainConfig):
            self.train_config = on_this_machine(self.train_config, config["data"])
        self.loop = TrialLoop(
            load_trainer(config["trainer"], config["processes"])
            if program is None
            else starter(
                program, config["evaluated_by"], Path(config["folder"]), config["timeout_s"]
            ),
            self.train_config,
            num_threads=config["num_threads"],
            forks_at=config["forks_at"],
            evaluated_by=config["evaluated_by"],
        )
        self.evaluated: int = config["evaluated"]
        timeout_s = config["timeout_s"]
        self.noted_after_s = None if timeout_s is None else NOTED_AFTER * timeout_s
        self.stack = Path(config["stack"])
        self.process_state = self.process_state or ProcessState()
        self.process_state.restore(self.train_config.seed)

    def __repr__(self) -> str:
        """The name that Ray shows for the actor. It asks once, during the first trial."""
        return f"{self.title}, …"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Let nothing of a trial reach the next, neither its model nor its memory on the GPU."""
        if (loop := self.__dict__.pop("loop", None)) is not None:  # a setup may have failed
            loop.close()
        torch = sys.modules.get("torch")
        if torch is None:
            return
        if isinstance(self.train_config, TrainConfig) and self.train_config.compile:
            torch.compiler.reset()  # after 8 models in one process torch compiles no more
        if torch.cuda.is_available():
            gc.collect()  # 40 ms: not where memory is plenty
            torch.cuda.empty_cache()

    def step(self) -> dict[str, object]:
        """Train up to the next evaluation or checkpoint, or for a few seconds."""
        _name_process(f"ray::{self.title}")
        with stack_if_longer(self.noted_after_s, self.stack):
            piece = self.loop.train(SLICE_SECONDS)
        return {
            "metrics": piece.metrics,
            "step": piece.step,
            "finished": piece.finished,
            "node": ray.get_runtime_context().get_node_id(),
            SHOULD_CHECKPOINT: piece.saves,
        }

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Tune's own, which calls `save_checkpoint` and brings the folder to storage.

        Raises:
            OSError: the disk is full, whatever Tune has made of that error.
        """
        try:
            result = super().save(checkpoint_dir)
            saved = Path(result.checkpoint.path)
            self.run_folder.store.put(saved)
            self.run_folder.store.leave_older(saved)
            if (output := self.run_folder.trial_output(saved.parent.name)).is_file():
                self.run_folder.store.put(output)
            return result
        except Exception as error:
            if (full := storage_error(error)) is not None:
                raise OSError(full.errno, full.strerror, full.filename) from None
            raise

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        self.loop.save(Path(checkpoint_dir))

    def restore(self, checkpoint_path: str) -> None:
        """Go on from a checkpoint; if it is damaged, from an older one of the trial.

        Tune's own method would unpickle a `dict_checkpoint.pkl` that lies beside the checkpoint,
        and on a damaged checkpoint it would fail the trial again and again.
        """
        checkpoint = getattr(checkpoint_path, "checkpoint", checkpoint_path)
        newest = Path(getattr(checkpoint, "path", checkpoint))
        there = self.run_folder.whole_checkpoints(newest.parent.name)
        number = checkpoint_number(newest.name)
        older = (folder for folder in there if checkpoint_number(folder.name) <= number)
        self.loop.restore(older, evaluated=self.evaluated)


def work_here(folder: RunFolder, address: str) -> None:
    """Have the working copy of this run on this node. Tune wants a disk that all nodes share, and
    looks for a file by which it knows it; here the bucket is what they share."""
    settle(folder.path.parent, address)
    folder.trials.mkdir(parents=True, exist_ok=True)
    (folder.trials / _VALIDATE_STORAGE_MARKER_FILENAME).touch()


def _name_process(title: str) -> None:
    """Name the process for Ray's dashboard, `ps` and `nvidia-smi`. At the end of the slice Ray
    gives it another name."""
    if (set_title := getattr(ray._raylet, "setproctitle", None)) is not None:
        set_title(title)
