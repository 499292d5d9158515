"""The page of a comparison: the report's figures of several sweeps, and what came of each."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from sweeper.analysis.comparison.comparison import (
    Comparison,
    Contender,
    best_optima,
    best_responses,
    measured_alike,
)
from sweeper.analysis.remarks.remark import Offer
from sweeper.errors import RunFolderError
from sweeper.views.format import title_of
from sweeper.views.report.figures.figure import GROUP_COLOURS
from sweeper.views.report.figures.learning.curves import compared_curves_figure
from sweeper.views.report.figures.response.curves import compared_response_figure
from sweeper.views.report.page import Figures
from sweeper.views.report.rendering import render_template
from sweeper.views.terminal.comparison_tables import (
    difference_table,
    outcome_table,
    value_tables,
    verdict_text,
)
from trainable.atomic_file import write_atomically

BEST_NOTE = "Open dots were not trained to their end. The line is the best at each value."
CURVES_NOTE = "Each sweep's winner in bold, its other trials faint."


def write_page(
    path: Path,
    contenders: Sequence[Contender],
    comparison: Comparison,
    offers: Sequence[Offer] = (),
) -> None:
    """Write it, whole or not at all.

    Raises:
        RunFolderError: it cannot be written there.
    """
    page = render_page(contenders, comparison, offers)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(page.encode()))
    except OSError as error:
        raise RunFolderError(f"--html {path}: cannot be written ({error.strerror})") from None


def render_page(
    contenders: Sequence[Contender], comparison: Comparison, offers: Sequence[Offer] = ()
) -> str:
    names = [contender.name for contender in contenders]
    sweeps = dict(zip(names, measured_alike(contenders), strict=True))
    optima = {name: best_optima(sweep) for name, sweep in sweeps.items()}
    by_sweep = {name: best_responses(sweep) for name, sweep in sweeps.items()}
    figures, title = Figures(), title_of(comparison.metric)
    curves = figures.place("curves", "Learning curves", compared_curves_figure(sweeps), CURVES_NOTE)
    responses = [
        figures.place(
            f"response-{index}",
            f"{title.capitalize()} against {swept}",
            compared_response_figure(
                sweeps, {name: of[swept] for name, of in by_sweep.items() if swept in of}, optima
            ),
            BEST_NOTE,
        )
        for index, swept in enumerate(dict.fromkeys(s for of in by_sweep.values() for s in of))
    ]
    colours = (colour.removeprefix("@") for colour in itertools.cycle(GROUP_COLOURS))
    return render_template(
        "comparison.html.jinja",
        figures,
        {"trials": {}, "shared": {}},
        comparison=comparison,
        offers=offers,
        names=names,
        colours=dict(zip(names, colours, strict=False)),
        metric=title,
        outcomes=outcome_table(comparison),
        verdict=verdict_text(comparison),
        values=value_tables(comparison),
        differences=difference_table(comparison),
        curves=curves,
        responses=[plot for plot in responses if plot],
    )
