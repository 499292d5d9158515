"""The record of one sweep on disk: every path in it, and how it comes to be."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sweeper.errors import InUseError, RunFolderError, UnreachableError
from sweeper.record.state.checkpoints import checkpoint_folders
from sweeper.record.stores.opening import store_of
from sweeper.record.stores.places import address_of, shown
from sweeper.record.stores.store import InUse, Store, folder_bytes
from sweeper.spec.sweep_spec import MAX_NAME, NAME_PATTERN, SweepSpec
from trainable.atomic_file import new_folder_beside, write_atomically

RUNS = Path("runs")  # where sweeps are looked for by name
CHECKPOINT_FILE = "checkpoint.pt"
OUTPUT_FILE = "output.log"


class RunFolder:
    """`runs/NAME/` and the names in it. Everything that is known of a sweep can be read from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "sweep.yaml"  # the resolved search space: enough to run the sweep again
        self.journal = path / "journal.jsonl"
        self.results = path / "results.parquet"  # the table with a row for each trial
        self.history = path / "history.parquet"  # the table with a row for each evaluation
        self.report = path / "report.html"  # the answer as one page
        self.plots = path / "plots"  # the report's plots as pictures
        self.log = path / "ray.log"  # what Ray and Tune say
        self.load = path / "load.jsonl"  # how busy the driver's machine was
        self.wandb = path / "wandb"
        self.wandb_logged = self.wandb / "logged.json"  # how much of each trial is in W&B
        self.wandb_log = self.wandb / "mirror.log"  # what the process that logs to W&B says
        self.wandb_lock = self.wandb / ".lock"
        self.optuna = path / "optuna.db"  # an Optuna storage with this sweep as its study
        self.tensorboard = path / "tensorboard"  # event files, in a folder for each trial
        self.trials = path / "trials"
        self.removed = path / ".removed"  # checkpoints that are being deleted
        self.requests = path / ".requests"  # what others ask of the driver
        self.attempts = path / "attempts"  # of a submitted sweep: each job that was to run it
        self.texts = path / "texts.json"  # what the best trials have written
        self.note = path / "note.txt"  # what people have written of the sweep
        self.stop_request = self.requests / "stop.json"

    @property
    def name(self) -> str:
        return os.path.basename(os.path.abspath(self.path))  # of `.`, too

    @property
    def called(self) -> str:
        """What to type to name it on the command line: its name if it is in `runs/`, or its
        path; of one in a bucket, its name there."""
        if (address := address_of(self.path.parent)) is not None:
            return f"{self.name} --runs {shlex.quote(address)}"
        return self.name if self.path.parent == RUNS else shlex.quote(str(self.path))

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.store.address or str(self.path)

    @property
    def remedy(self) -> str:
        """What to do where it cannot be written."""
        if self.store.address is None:
            return "make room"
        return f"see that the bucket answers, and that there is room in {self.path.parent}"

    @cached_property
    def store(self) -> Store:
        """Where it is kept."""
        return store_of(self.path)

    def read_note(self) -> str:
        """What people have written of the sweep; nothing where they have not, or it is no text."""
        try:
            return self.note.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def write_note(self, text: str) -> None:
        """Whole or not at all; an empty one goes.

        Raises:
            OSError: it cannot be written, here or in the bucket.
        """
        if text:
            write_atomically(self.note, lambda file: file.write(f"{text}\n".encode()))
        else:
            self.note.unlink(missing_ok=True)
        self.store.put(self.note)

    def trial(self, trial_id: str) -> Path:
        return self.trials / trial_id

    def trial_stop_request(self, trial_id: str) -> Path:
        return self.requests / f"stop-{trial_id}.json"

    def attempt(self, number: int) -> Path:
        return self.attempts / f"{number:04d}.json"

    def attempt_end(self, number: int) -> Path:
        return self.attempts / f"{number:04d}.end.json"

    def attempt_log(self, number: int) -> Path:
        """What its driver has printed."""
        return self.attempts / f"{number:04d}.log"

    def trial_config(self, trial_id: str) -> Path:
        return self.trial(trial_id) / "config.json"

    def trial_metrics(self, trial_id: str) -> Path:
        return self.trial(trial_id) / "metrics.jsonl"

    def trial_output(self, trial_id: str) -> Path:
        """What its program has printed, where that is not ours."""
        return self.trial(trial_id) / OUTPUT_FILE

    def trial_error(self, trial_id: str) -> Path:
        return self.trial(trial_id) / "error.txt"

    def checkpoint(self, trial_id: str, name: str) -> Path:
        return self.trial(trial_id) / name

    def checkpoint_bytes(self, trial_id: str, name: str) -> int:
        return folder_bytes(self.checkpoint(trial_id, name))

    def trial_stack(self, trial_id: str) -> Path:
        """The stack of a trial that is silent; the file exists only while it is."""
        return self.trial(trial_id) / "stack.txt"

    def checkpoint_folders(self, trial_id: str) -> list[Path]:
        """The checkpoint folders on disk, newest first."""
        return checkpoint_folders(self.trial(trial_id))

    def fetch_checkpoint(self, trial_id: str, name: str) -> None:
        """Have all its files here.

        Raises:
            RunFolderError: it has been deleted; the bucket does not answer.
        """
        folder = self.checkpoint(trial_id, name)
        with reached(self.path.parent):
            try:
                self.store.fetch(folder)
            except FileNotFoundError:
                raise RunFolderError(
                    f"{self.place}: checkpoint {name} of trial {trial_id} has been deleted; "
                    f"what there is: python -m sweeper status {self.called}"
                ) from None

    def whole_checkpoints(self, trial_id: str) -> Iterator[Path]:
        """These folders, each with all its files once it is asked for."""
        self.store.see(self.trial(trial_id))
        for folder in self.checkpoint_folders(trial_id):
            try:
                self.store.fetch(folder)
            except FileNotFoundError:  # deleted since
                continue
            yield folder

    @property
    def tune_leftovers(self) -> Iterator[Path]:
        """Tune's own snapshots. They embed pickles, and nothing here ever reads them."""
        for pattern in ("experiment_state-*.json", "*.pkl", ".validate_storage_marker"):
            yield from self.trials.glob(pattern)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder as its one driver.

        Raises:
            InUseError: another driver holds it.
            RunFolderError: it cannot be written.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.store.held())
            except InUse as who:
                raise InUseError(
                    f"{self.place}: another sweeper is at work in it{who}; "
                    f"watch it with: python -m sweeper status {self.called}",
                    left=who.left,
                ) from None
            except OSError as error:
                on_disk = self.store.address is None
                remedy = "work on a copy, in a folder of your own" if on_disk else self.remedy
                raise RunFolderError(
                    f"{self.place}: cannot be written ({error.strerror}); {remedy}"
                ) from None
            yield

    @property
    def is_locked(self) -> bool:
        """Whether a driver runs the sweep now."""
        with reached(self.path.parent):
            return self.store.is_held


def require_free_name(runs: Path, name: str) -> None:
    """Refuse a name early, before anything is started.

    Raises:
        RunFolderError: it is no name, or taken.
    """
    if not re.fullmatch(NAME_PATTERN.strip("^$"), name) or len(name) > MAX_NAME:
        got = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
        raise RunFolderError(
            f"--name: must be at most {MAX_NAME} letters, digits, `.`, `_` and `-`, and begin with "
            f"a letter or a digit, got {got!r}"
        )
    with reached(runs):
        RunFolder(runs / name).store.pull()
    if (runs / name).exists():
        raise RunFolderError(
            f"{shown(runs)}/{name}: the name is in use; choose another --name, or go on with it: "
            f"python -m sweeper resume {RunFolder(runs / name).called}"
        )


def create_run_folder(
    runs: Path, spec: SweepSpec, name: str | None, resolved_from: str
) -> RunFolder:
    """A new folder that holds the spec: under `name`, or under the spec's name, with a number if
    that is taken.

    Raises:
        RunFolderError: `name` was asked for and is taken; nothing can be written in `runs`.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        staging = new_folder_beside(runs / "new")
    except OSError as error:
        problem = f"{runs}: cannot be written ({error.strerror}); name another folder: --runs"
        raise RunFolderError(problem) from None
    RunFolder(staging).trials.mkdir()
    write_spec(RunFolder(staging).spec, spec, resolved_from)
    for candidate in [name] if name else _numbered(spec.name):
        folder = RunFolder(runs / candidate)
        with reached(runs):
            if not folder.store.claim(RunFolder(staging).spec):
                continue
        try:
            os.rename(staging, folder.path)  # refuses a folder that has anything in it
            return folder
        except OSError:
            continue
    shutil.rmtree(staging)
    require_free_name(runs, str(name))
    raise AssertionError(f"{runs / str(name)} could not be made and is not there")


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 10**6):
        yield f"{name}-{number}"


def write_spec(path: Path, spec: SweepSpec, resolved_from: str) -> None:
    """Write the search space of a sweep, resolved from the one that is called so."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"# {resolved_from} with every default filled in, as this sweep ran it.\n")
        YAML().dump(spec.model_dump(), file)
        file.flush()
        os.fsync(file.fileno())


def no_journal(folder: RunFolder) -> RunFolderError:
    run = f"python -m sweeper run {shlex.quote(str(folder.spec))}"
    if folder.trials.is_dir() and any(folder.trials.iterdir()):
        return RunFolderError(
            f"{folder.journal}: is missing, and with it what was decided; restore it from a copy, "
            f"or start a new sweep: {run}"
        )
    return RunFolderError(
        f"{folder.path}: it has no journal.jsonl, so no sweep ever began in it; start one: {run}"
    )


@contextmanager
def reached(runs: Path) -> Iterator[None]:
    """
    Raises:
        UnreachableError: the bucket of these run folders does not answer, or refuses.
    """
    try:
        yield
    except OSError as error:
        raise UnreachableError(
            f"{error.filename or shown(runs)}: cannot be reached ({error.strerror or error}); "
            "the address, and the keys in the environment (AWS_…), are those of docs/cluster.md"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Written whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=2, allow_nan=False)
    write_atomically(path, lambda file: file.write(text.encode()))
