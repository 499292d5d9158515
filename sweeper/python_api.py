"""Sweeps in a notebook or a script: `from sweeper import load_sweep, run_sweep, …`."""

import io
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.representer import RepresenterError

from sweeper.analysis.monitor import Monitor
from sweeper.errors import ResourceError, SpecError
from sweeper.record.ranking import ranked, ranking_of
from sweeper.record.run_folder import RUNS, RunFolder
from sweeper.record.runs.finding import find_run_folder
from sweeper.record.state.trial import Trial
from sweeper.record.stores.places import runs_folder
from sweeper.record.tables import history_table, results_table
from sweeper.running import run_file
from sweeper.runtime.lasting_output import lasting_output
from sweeper.runtime.session.ending import written_report
from sweeper.runtime.session.preparation import Options
from sweeper.spec.operating.tracking import WandbMode
from sweeper.spec.points import point_text
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.views.console import make_console
from sweeper.views.format import number
from sweeper.views.terminal.summary import print_end, print_summary

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sweeper.views.notebook.showing import ShownSummary

NOTEBOOK_WIDTH = 120  # letters


class LoadedSweep:
    """A sweep as it stands in its run folder, whether it runs or not.

    The trials are as they were when it was loaded; `refresh` reads what has happened since.
    """

    def __init__(self, folder: RunFolder) -> None:
        """
        Raises:
            UserError: the folder is damaged.
        """
        self.folder = folder
        self._monitor = Monitor(folder)

    def refresh(self) -> None:
        """Read what has happened since."""
        self._monitor.refresh()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def spec(self) -> SweepSpec:
        """The search space, with every default filled in."""
        return self._monitor.state.spec

    @property
    def state(self) -> str:
        """running, finished, interrupted, failed, or submitted."""
        return self._monitor.state_name

    @property
    def trials(self) -> list[Trial]:
        """All that have been handed out, best first."""
        return ranked(self._monitor.state)

    @property
    def best(self) -> Trial | None:
        """The best of those that have completed; None while there is none."""
        return self._monitor.best

    @property
    def results(self) -> pa.Table:
        """A row for each trial, best first, as in results.parquet. What was not measured is
        null."""
        return results_table(self._monitor.state, self.folder)

    @property
    def history(self) -> pa.Table:
        """A row for each evaluation, as in history.parquet."""
        return history_table(self._monitor.state)

    @property
    def figures(self) -> "dict[str, go.Figure]":
        """Those of the report by their names, as `curves`, as they stand in the folder now."""
        return summarise(self).figures

    def _repr_html_(self) -> str:
        """What `python -m sweeper best` shows, as a notebook shows it."""
        console = make_console(record_width=NOTEBOOK_WIDTH)
        print_summary(console, self._monitor.state, self.folder)
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")

    def __repr__(self) -> str:
        told = f"{self.state}, {self._monitor.num_ended} of {self._monitor.num_trials} trials ended"
        ranking = ranking_of(self._monitor.state)
        if (best := ranking.best) is not None:
            metric = self.spec.objective.metric
            told += f"; best {point_text(best.point)}: {metric} {number(ranking.value_of(best))}"
        return f"<sweep {self.name}: {told}>"


def load_sweep(name: str | Path, *, runs: str | Path = RUNS) -> LoadedSweep:
    """The sweep of this name under `runs`, or in this folder; finished, interrupted, or running.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    return LoadedSweep(find_run_folder(runs_folder(runs), str(name)))


def read_results(name: str | Path, *, runs: str | Path = RUNS) -> pa.Table:
    """A row for each trial, best first. `.to_pandas()` makes it a data frame.

    Raises:
        UserError: as `load_sweep`.
    """
    return load_sweep(name, runs=runs).results


def summarise(sweep: LoadedSweep) -> "ShownSummary":
    """What the sweep has found out: the winner and its margin, the response to each parameter, and
    more; a notebook shows it as the report's sentences.

    Raises:
        UserError: the run folder cannot be read any more.
    """
    from sweeper.analysis import summary  # what it computes with takes a while to import
    from sweeper.views.notebook.showing import ShownSummary

    return ShownSummary.of(summary.summarise(summary.load(sweep.folder)))


def run_sweep(
    space: str | Path | Mapping[str, Any],
    *,
    name: str | None = None,
    overrides: Sequence[str] = (),
    runs: str | Path = RUNS,
    wandb: WandbMode = Options.wandb,
    dashboard: bool = Options.dashboard,
    quiet: bool = False,
) -> LoadedSweep:
    """Run a sweep to its end, as `python -m sweeper run` does, and load it.

    Args:
        space: A search-space file, or a dict of what would be in it.
        name: The name of the sweep, refused if it is taken. None: that in the file, with a number
            if it is taken.
        overrides: Values that replace the file's, each as `KEY=VALUE`.
        quiet: Print nothing.

    Raises:
        UserError: the space, the data or the machine does not fit. Nothing has been started then.
    """
    _require_no_ray()
    options = Options(runs=runs_folder(runs), wandb=wandb, dashboard=dashboard)
    console = make_console(quiet=quiet)
    with options.deadline, lasting_output():
        if isinstance(space, Mapping):
            with tempfile.TemporaryDirectory() as folder:
                file = _written(space, Path(folder))
                try:
                    result = run_file(file, console, options, name, overrides)
                except SpecError as error:  # the file is gone when this is read
                    line = rf"{re.escape(str(file))}(:\d+)?"
                    told = [re.sub(line, "space", problem) for problem in error.problems]
                    raise SpecError(told) from None
        else:
            result = run_file(Path(space), console, options, name, overrides)
        report = written_report(console, result)
        print_end(console, result.state, result.folder, report, result.outcome)
    return LoadedSweep(result.folder)


def _require_no_ray() -> None:
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        raise ResourceError(
            "Ray is at work in this process already, and a sweep starts its own: call "
            "ray.shutdown() before (to run on a cluster, set RAY_ADDRESS)"
        )


def _written(space: Mapping[str, Any], folder: Path) -> Path:
    """The space as a file, so that it is checked as every file is."""
    text = io.StringIO()
    try:
        YAML(typ="safe", pure=True).dump(dict(space), text)
    except RepresenterError as error:
        value = str(error).splitlines()[0].removeprefix("cannot represent an object: ")
        raise SpecError(
            [f"space: only numbers, text, lists and dicts, got {value}; of NumPy: .tolist()"]
        ) from None
    file = RunFolder(folder).spec
    file.write_text(text.getvalue(), encoding="utf-8")
    return file
