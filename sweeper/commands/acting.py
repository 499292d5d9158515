"""Commands that make something from a recorded sweep, or free its disk: `report`, `export`,
`delete`; and `stop`, which ends one that runs."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sweeper.analysis.monitor import Monitor
from sweeper.commands.arguments import Name, NameOrNewest, Runs, named_or_newest
from sweeper.commands.exporting import export_trial
from sweeper.engine.session.deletion import Deletion, deletable, delete_checkpoints
from sweeper.errors import RunFolderError
from sweeper.record.run_folder import RUNS
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.stores.places import shown
from sweeper.runtime.stopping.asking import stop_sweep, stop_trial
from sweeper.spec.points import point_text
from sweeper.views.console import make_console
from sweeper.views.format import size
from sweeper.views.terminal.columns import Column, table

SHOWN_TRIALS = 20


def report(
    name: NameOrNewest = None,
    out: Annotated[Path | None, typer.Option(help="Write to this folder. [the run folder]")] = None,
    runs: Runs = RUNS,
) -> None:
    from sweeper.views.report import write_report  # takes a second

    folder = named_or_newest(runs, name)
    goes_on = folder.is_locked
    written = write_report(folder, out)
    console = make_console()
    console.print(f"{written.path} ({size(written.path.stat().st_size)})")
    if written.pictures:
        console.print(f"{written.pictures[0].parent}/ ({len(written.pictures)} pictures)")
    if goes_on:
        of = "" if runs == RUNS else f" --runs {shlex.quote(shown(runs))}"
        console.print(f"The sweep goes on. Kept fresh in a browser:  python -m sweeper serve{of}")


def stop(
    name: Name,
    trial_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One trial, as 0003: the rest goes on.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    monitor = Monitor(find_run_folder(runs, name))
    trial = None if trial_id is None else monitor.trial(trial_id)
    said = stop_sweep(monitor) if trial is None else stop_trial(monitor, trial)
    make_console().print(said, markup=False, soft_wrap=True)


def export(
    name: Name,
    id_and_out: Annotated[
        list[str],
        typer.Argument(metavar="[ID] OUT", help="A trial's id, else the best; the folder to make."),
    ],
    runs: Runs = RUNS,
) -> None:
    if len(id_and_out) > 2:
        raise typer.BadParameter("one trial's id and one folder at most", param_hint="[ID] OUT")
    *ids, out = id_and_out
    monitor = Monitor(find_run_folder(runs, name))
    trial, said = export_trial(monitor, ids[0] if ids else None, Path(out))
    console = make_console()
    console.print(f"Trial {trial.trial_id} of {monitor.folder.name} ({point_text(trial.values)})")
    console.print(said)
    console.print(f"Load it: transformers.AutoModelForCausalLM.from_pretrained({out!r})")


def delete(
    name: Name,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Those of trials that have ended.")
    ] = False,
    with_best: Annotated[
        bool, typer.Option("--with-best", help="The winner's newest checkpoint too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs: Runs = RUNS,
) -> None:
    folder = find_run_folder(runs, name)
    if not checkpoints:
        raise RunFolderError(
            f"{folder.path}: say what to delete: --checkpoints; to delete all of the sweep, its "
            f"record too: rm -r {folder.path}"
        )
    with folder.locked():
        pass  # a running sweep is refused before anything is asked
    console = make_console()
    monitor = Monitor(folder)
    deletions = deletable(monitor, with_best=with_best)
    if not deletions:
        console.print(f"{folder.path}/: there are no checkpoints to delete.")
        return
    _print_deletions(console, deletions)
    if monitor.best is not None and monitor.best.checkpoint and not with_best:
        kept = monitor.best.trial_id
        console.print(f"The winner's newest, of trial {kept}, stays (--with-best frees it too).")
    if not yes and not _agreed():
        console.print("Nothing was deleted.")
        return
    console.print(f"Freed {size(delete_checkpoints(folder, with_best=with_best))}.")


def _print_deletions(console: Console, deletions: Sequence[Deletion]) -> None:
    of_trial: dict[str, list[int]] = {}
    for deletion in deletions:
        of_trial.setdefault(deletion.trial_id, []).append(deletion.num_bytes)
    shown = list(of_trial.items())[:SHOWN_TRIALS]
    columns = [
        Column("trial", [trial_id for trial_id, _ in shown], right=False),
        Column("checkpoints", [str(len(sizes)) for _, sizes in shown]),
        Column("size", [size(sum(sizes)) for _, sizes in shown]),
    ]
    console.print(table(columns, console.width))
    if (more := len(of_trial) - len(shown)) > 0:
        console.print(f"and {more} more trials")
    total = size(sum(deletion.num_bytes for deletion in deletions))
    console.print(f"{len(deletions)} checkpoints would go, and free {total}.")


def _agreed() -> bool:
    """Ask the user.

    Raises:
        RunFolderError: there is nobody to ask; a script has to say --yes.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise RunFolderError("nothing was deleted: there is nobody to ask; add --yes")
    return typer.confirm("Delete them?")
