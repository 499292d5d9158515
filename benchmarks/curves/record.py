"""Record the curves: run every search space of this folder with the engine's own loop, in this
process and without Ray, and write each family as Parquet once it is whole.

    nice -n 19 python -m benchmarks.curves.record --scratch /tmp/curves

Again: it goes on where it was. Two at once share the families between them.
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from filelock import FileLock
from rich.console import Console

from benchmarks.curves.export import export
from sweeper.engine.audience import Audience
from sweeper.engine.session.resuming import NO_CHANGES, prepare_resumption
from sweeper.engine.sweep import Sweep
from sweeper.errors import RunFolderError
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import RunFolder, create_run_folder
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.session.preparation import Options, prepare_run
from sweeper.runtime.trial_loop import TRAINER
from trainable.loop.training import Trainer

HERE = Path(__file__).parent
# In the order of their use: what comes first is there first.
FAMILIES = (
    "python_d64",
    "prose_d64",
    "python_d64_short",
    "prose_d32_tenth",
    "python_d128",
    "python_d32_decay",
    "prose_d32_wide",
)
TEXT = {"python": (), "prose": ("prose-text",)}  # nothing: Python's own standard library


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the curves.")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="Data and run folders go there."
    )
    parser.add_argument("families", nargs="*", default=FAMILIES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prepare(arguments.scratch)
    for family in arguments.families:
        try:
            record(family, arguments.scratch)
            export(HERE / f"{family}.yaml", arguments.scratch)
        except RunFolderError as error:  # another process is at it
            print(error, flush=True)


def prepare(scratch: Path) -> None:
    """Make the two corpora, unless they are there."""
    scratch.mkdir(parents=True, exist_ok=True)
    with FileLock(scratch / "data.lock"):
        for corpus, texts in TEXT.items():
            out = scratch / "data" / corpus
            if out.exists():
                continue
            folders = [str(scratch / text) for text in texts]
            for folder in folders:
                subprocess.run([sys.executable, HERE / "prose.py", folder], check=True)
            command = [sys.executable, "-m", "sweeper", "prepare", *folders, "--out", str(out)]
            options = ["--tokenizer", "bpe:512", "--val_fraction", "0.1" if texts else "0.05"]
            subprocess.run([*command, *options], check=True)


def record(family: str, scratch: Path) -> None:
    """Run what is left of a family."""
    file = HERE / f"{family}.yaml"
    folder = RunFolder(scratch / "runs" / family)
    with ExitStack() as stack:
        if folder.path.exists():
            stack.enter_context(folder.locked())
            resumption = prepare_resumption(folder, NO_CHANGES, TRAINER)
            plan, session, state = resumption.plan, resumption.session, resumption.state
            if session is None:
                return
        else:
            overrides = data_override(file, scratch)
            options, console = Options(runs=scratch / "runs"), Console(file=io.StringIO())
            prepared = prepare_run(file, console, options, family, overrides)
            folder = create_run_folder(options.runs, prepared.plan.spec, family, str(file))
            stack.enter_context(folder.locked())
            plan, session, state = prepared.plan, prepared.session, None
        sweep = Sweep.open(folder, plan, session, None, state)
        stack.callback(sweep.journal.close)
        audience = Audience(sweep, [MetricsFiles(folder)])
        InProcess(sweep, audience, Trainer).run()
        audience.close(sweep.state)
        sweep.close("finished")
    print(f"{family}: {len(sweep.trials)} trials", flush=True)


def data_override(file: Path, scratch: Path) -> Sequence[str]:
    """The prepared data, wherever this recording keeps it."""
    corpus = file.stem.partition("_")[0]
    return [f"data={(scratch / 'data' / corpus).resolve()}"]


if __name__ == "__main__":
    main()
