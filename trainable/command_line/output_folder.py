"""The output folder of a run: the names of its files, which run may write in it, and which
checkpoints may be deleted."""

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self

from trainable.atomic_file import write_atomically
from trainable.config import TrainConfig
from trainable.errors import OutputFolderError
from trainable.loop.metrics import Metrics
from trainable.settings import shown


def is_checkpoint_of_a_run(path: Path) -> bool:
    """Whether the folder of this file is, by the file's name, the output folder of a run."""
    return path in OutputFolder(path.parent).checkpoints()


class OutputFolder:
    """The files of one run. The folder itself is made when the first file is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config_file = root / "config.json"
        self.metrics_file = root / "metrics.jsonl"
        self.wandb_file = root / "wandb.json"
        self.final_checkpoint = root / "final_checkpoint.pt"

    def checkpoint(self, step: int) -> Path:
        return self.root / f"checkpoint_step_{step}.pt"

    def checkpoints(self) -> list[Path]:
        """All checkpoints, the newest first."""
        paths = [*self.root.glob("checkpoint_step_*.pt"), *self.root.glob("final_checkpoint.pt")]
        return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def checkpoint_steps(self) -> list[int]:
        """Steps of the checkpoints that are there, newest first."""
        matches = (
            re.fullmatch(r"checkpoint_step_(\d+)\.pt", path.name)
            for path in self.root.glob("checkpoint_step_*.pt")
        )
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    @property
    def holds_a_run(self) -> bool:
        """Whether a run has left checkpoints or metrics here, which another would overwrite."""
        has_metrics = self.metrics_file.is_file() and self.metrics_file.stat().st_size > 0
        return has_metrics or bool(self.checkpoints())

    def require_no_run(self) -> None:
        """Raise OutputFolderError if a run would overwrite the files of another."""
        if self.holds_a_run:
            remedy = "name another --output_dir"
            if self.checkpoints():
                remedy += f", or go on with that run: --resume_from {self.root}"
            raise OutputFolderError(
                f"output_dir: {self.root} holds another run, which is not overwritten; {remedy}"
            )

    @contextmanager
    def locked(self) -> Iterator[Self]:
        """Make the folder, and hold it as its one run. The kernel drops the lock with the process.

        Raises:
            OutputFolderError: it cannot be made, or another run is at work in it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"output_dir: {shown(str(self.root))} cannot be made ({error.strerror})"
            raise OutputFolderError(f"{problem}; name another folder") from None
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno == errno.EWOULDBLOCK:
                    raise OutputFolderError(
                        f"output_dir: another run is at work in {self.root}; name another "
                        "--output_dir"
                    ) from None
                # Any other reason: a network file system that knows no locks of folders.
            yield self
        finally:
            os.close(descriptor)

    def begin(self, config: TrainConfig, *, step: int) -> None:
        """Write the config, and keep only the metrics from before `step`, so that none comes
        twice."""
        self.root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config.to_dict(), indent=2) + "\n"
        write_atomically(self.config_file, lambda file: file.write(text.encode()))
        kept = [json.dumps(line) + "\n" for line in self.read_metrics() if line["step"] <= step]
        write_atomically(self.metrics_file, lambda file: file.write("".join(kept).encode()))

    @property
    def last_step(self) -> int:
        """The last step in the names of checkpoints or in the metrics; 0 if there are none."""
        steps = [line["step"] for line in self.read_metrics()]
        return max([*self.checkpoint_steps(), *steps], default=0)

    def append_metrics(self, metrics: Metrics) -> None:
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics.to_dict()) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The metrics written so far; a last line cut short by a crash is left out.

        Raises:
            OutputFolderError: a line that this program did not write.
        """
        if not self.metrics_file.exists():
            return []
        whole = self.metrics_file.read_bytes().split(b"\n")[:-1]
        return [self._read_line(number, line) for number, line in enumerate(whole, start=1)]

    def _read_line(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or type(values.get("step")) is not int:
            raise OutputFolderError(
                f"{self.metrics_file}: line {number} is damaged: no metrics of a step; move the "
                "file away, or remove the line"
            )
        loss = values.setdefault("val_loss", None)
        if not (loss is None or isinstance(loss, int | float)):
            raise OutputFolderError(
                f"{self.metrics_file}: line {number} is damaged: val_loss is {shown(loss)}; move "
                "the file away, or remove the line"
            )
        return values

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


@contextmanager
def unused_folder(root: Path, *, numbered: bool) -> Iterator[OutputFolder]:
    """`root`, locked; where a run is in it already (if `numbered`) the first free one of `root-2`,
    `root-3`, ….

    Raises:
        OutputFolderError: a run is in it, or at work in it, and no number may be added.
    """
    for number in count(1):
        folder = OutputFolder(root if number == 1 else root.with_name(f"{root.name}-{number}"))
        if numbered and folder.holds_a_run:
            continue
        with ExitStack() as stack:
            try:
                stack.enter_context(folder.locked())
                folder.require_no_run()  # one may have come and gone before the lock
            except OutputFolderError:
                if not numbered:
                    raise
                continue
            yield folder
            return


def best_step(steps: Iterable[int], metrics: list[dict[str, Any]]) -> int | None:
    """The step with the lowest validation loss, among steps that were evaluated themselves."""
    losses = {line["step"]: line["val_loss"] for line in metrics if line["val_loss"] is not None}
    return min((step for step in steps if step in losses), key=lambda s: losses[s], default=None)
