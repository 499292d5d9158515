"""Arguments and options that several commands share, and how they answer scripts."""

import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeper.record.run_folder import RUNS, RunFolder
from sweeper.record.runs.finding import find_run_folder, list_run_folders, newest_run_folder
from sweeper.record.stores.places import runs_folder, shown


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


COUNT_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMBT]?)")
COUNT_UNITS = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
LARGEST_COUNT = 10**18


def parse_count(option: str, stated: str) -> int:
    """A number of parameters or of tokens, from `124M`, `2.5B`, `50k` or digits alone.

    Raises:
        BadParameter: it is none, or larger than anything that is trained.
    """
    match = COUNT_PATTERN.fullmatch(stated)
    parsed = 0 if match is None else int(Fraction(match[1]) * COUNT_UNITS[match[2]])
    if parsed < 1:
        text = f"must be a number, as 124M, 2.5B or 50k, got {stated!r}"
        raise typer.BadParameter(text, param_hint=option)
    if parsed > LARGEST_COUNT:
        text = f"must be at most {LARGEST_COUNT // COUNT_UNITS['T']:,}T, got {stated!r}"
        raise typer.BadParameter(text, param_hint=option)
    return parsed


DURATION_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DAYS = 3660


def parse_duration(option: str, stated: str) -> float:
    """Seconds, from `90s`, `30m`, `2h` or `1.5d`.

    Raises:
        BadParameter: it is none, or longer than anybody waits.
    """
    match = DURATION_PATTERN.fullmatch(stated)
    seconds = 0.0 if match is None else float(match[1]) * DURATION_UNITS[match[2]]
    if not 0 < seconds <= LONGEST_DAYS * DURATION_UNITS["d"]:
        text = f"must be a time of at most {LONGEST_DAYS}d, as 30m, 2h or 1.5d, got {stated!r}"
        raise typer.BadParameter(text, param_hint=option)
    return seconds


def sweep_names(context: typer.Context, incomplete: str) -> list[str]:
    runs = context.params.get("runs") or RUNS
    names = [folder.name for folder in list_run_folders(runs_folder(runs))]
    return [name for name in names if name.startswith(incomplete)]


def _trial_ids(context: typer.Context, incomplete: str) -> list[str]:
    runs, name = context.params.get("runs") or RUNS, context.params.get("name")
    trials = RunFolder(runs_folder(runs) / str(name)).trials
    ids = [path.name for path in trials.glob(f"{incomplete}*") if path.is_dir()]
    return sorted(ids)


def named_or_newest(runs: Path, name: str | None) -> RunFolder:
    """The sweep of this name; of none, the newest, which is said on standard error.

    Raises:
        RunFolderError: there is no such sweep.
    """
    if name is not None:
        return find_run_folder(runs, name)
    folder = newest_run_folder(runs)
    print(f"{shown(folder.path.parent)}/{folder.name}: the newest sweep", file=sys.stderr)
    return folder


Runs = Annotated[
    Path,
    typer.Option(
        "--runs",
        parser=runs_folder,
        metavar="FOLDER",
        help="Folder of the run folders, or s3://BUCKET/PREFIX.",
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A sweep's name, or its run folder.", autocompletion=sweep_names
    ),
]
NameOrNewest = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="A sweep's name, or its run folder; the newest if none is named.",
        autocompletion=sweep_names,
        show_default=False,
    ),
]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME…", help="Sweeps' names, or run folders.", autocompletion=sweep_names
    ),
]
TrialId = Annotated[str, typer.Argument(metavar="ID", help="As 0003.", autocompletion=_trial_ids)]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but the run folder at the end.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="A line of every start and report as well.")
]
