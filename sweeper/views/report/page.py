"""report.html: a summary as one page that needs nothing else, not even a network."""

from dataclasses import dataclass

from sweeper.analysis.forecasts import Forecast
from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.remarks.places import by_side, edge_text
from sweeper.analysis.remarks.remark import Offer
from sweeper.analysis.scaling.predicting import Prediction
from sweeper.analysis.summary.levels import common_level
from sweeper.analysis.summary.pairs import Pair, Plane
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import swept_text
from sweeper.views.format import count, likely, number, title_of
from sweeper.views.per_size import SizeColumn, size_columns
from sweeper.views.prediction import next_sweeps
from sweeper.views.report.environment import Facts, environment_facts
from sweeper.views.report.figures.costs import cost_figure
from sweeper.views.report.figures.figure import Figure, level_title, metric_title
from sweeper.views.report.figures.learning.curves import curves_figure
from sweeper.views.report.figures.pairs import pair_figure, pair_notes
from sweeper.views.report.figures.parallel import parallel_figure
from sweeper.views.report.figures.planes import plane_figure, plane_notes
from sweeper.views.report.figures.response.curves import response_figure
from sweeper.views.report.figures.scaling import loss_figures, rate_figure
from sweeper.views.report.figures.timeline import load_figure, slots_said, timeline_figure
from sweeper.views.report.larger_models import LargerModel, larger_model
from sweeper.views.report.rendering import render_template
from sweeper.views.report.rung_rows import RungView, SavingView, rung_views, saving_views
from sweeper.views.report.trial_rows import TrialTable, shared_config, trial_details, trial_table
from sweeper.views.report.words import Answer, WrittenView, answer, unbroken, written_views
from sweeper.views.verdict import is_corrected

CORRECTED = ", corrected for its seeds"  # where it had others than the rest had
LOAD_TITLE = "How busy the driver's machine was, by this sweep and all else that ran on it"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure's place on the page. `key` is its key among the page's figures."""

    key: str
    title: str
    notes: tuple[str, ...] = ()
    height: int = 400


class Figures(dict[str, Figure]):
    """Those of a page, by their keys."""

    def place(self, key: str, title: str, figure: Figure | None, *notes: str) -> Plot | None:
        """None where there is nothing to draw."""
        if figure is None:
            return None
        self[key] = figure
        return Plot(key=key, title=title, notes=notes, height=figure["layout"]["height"])


@dataclass(frozen=True, kw_only=True)
class TiedPoint:
    text: str
    mean: str
    deviation: str
    seeds: str


@dataclass(frozen=True, kw_only=True)
class NotRunView:
    """A point that was not run, and where it is expected to end."""

    text: str
    expected: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that the template shows. The template computes nothing."""

    summary: Summary
    answer: Answer
    meta_line: str
    winner_facts: tuple[tuple[str, str], ...]
    tied: tuple[TiedPoint, ...]
    written: tuple[WrittenView, ...]
    sizes: tuple[SizeColumn, ...]
    costs: tuple[Plot, ...]
    not_run: tuple[NotRunView, ...]
    commands: tuple[Offer, ...]
    next_sweeps: tuple[Offer, ...]
    figures: dict[str, Figure]
    responses: tuple[Plot, ...]
    curves: Plot | None
    parallel: Plot | None
    pairs: tuple[Plot, ...]
    importance_note: str
    larger: LargerModel | None
    no_law: str  # why a larger model cannot be told of
    laws: tuple[Plot, ...]
    rungs: tuple[RungView, ...]
    savings: tuple[SavingView, ...]
    has_forks: bool
    timeline: Plot | None
    load: Plot | None
    table: TrialTable
    facts: Facts

    @property
    def num_sizes(self) -> int:
        return len(self.sizes[0].cells) if self.sizes else 0


def make_page(summary: Summary, meta_line: str, commands: tuple[Offer, ...]) -> Page:
    figures, said = Figures(), answer(summary)
    place, sweep = figures.place, summary.sweep
    larger, no_law = larger_model(sweep)
    sizes = size_columns(summary)
    responses = [
        place(
            f"response-{index}",
            f"{metric_title(sweep).capitalize()} against {response.parameter.name}",
            response_figure(summary, response) if response.curves else None,
            *(["Each point is the best of an eighth of the range."] if response.binned else []),
            *map(edge_text, by_side(response.edges)),
        )
        for index, response in enumerate(summary.responses)
    ]
    pairs = [
        _pair(figures, sweep, f"pair-{index}", pair, plane)
        for index, (pair, plane) in enumerate(zip(summary.pairs, summary.planes, strict=True))
        if pair.cells
    ]
    return Page(
        summary=summary,
        answer=said,
        meta_line=meta_line,
        winner_facts=_winner_facts(summary),
        tied=() if sizes else _tied(summary),
        written=written_views(sweep),
        sizes=sizes,
        costs=_costs(figures, summary),
        not_run=_not_run(summary),
        commands=commands,
        next_sweeps=next_sweeps(summary, said.remarks),
        figures=figures,
        responses=tuple(plot for plot in responses if plot),
        curves=place("curves", "Learning curves", curves_figure(sweep)),
        parallel=_parallel(figures, summary),
        pairs=tuple(plot for plot in pairs if plot),
        importance_note=_importance_note(summary),
        larger=larger,
        no_law=no_law,
        laws=() if larger is None else _laws(figures, larger.prediction),
        rungs=rung_views(summary),
        savings=saving_views(summary),
        has_forks=any(trial.forked_from for trial in sweep.trials),
        timeline=_timeline(figures, summary),
        load=_load(figures, summary),
        table=trial_table(summary),
        facts=environment_facts(sweep),
    )


def _parallel(figures: Figures, summary: Summary) -> Plot | None:
    sweep = summary.sweep
    level = common_level(sweep, summary.levels)
    figure = parallel_figure(sweep, level)
    if figure is None or level is None:
        return None
    missing = len(sweep.trials) - len(level.values)
    left_out = f"{missing:,} of {len(sweep.trials):,} did not get there and are not drawn."
    notes = ("Draw a box over an axis to filter by it.", *([left_out] if missing else []))
    title = f"Parallel coordinates, all compared {level_title(sweep, level)}"
    return figures.place("parallel", title, figure, *notes)


def _laws(figures: Figures, found: Prediction) -> tuple[Plot, ...]:
    by_params, by_flops = loss_figures(found)
    plots = (
        figures.place("law-rate", "Best learning rate against parameters", rate_figure(found)),
        figures.place("law-loss", "Loss against parameters", by_params),
        figures.place("law-flops", "Loss against FLOPs", by_flops),
    )
    return tuple(plot for plot in plots if plot)


def _costs(figures: Figures, summary: Summary) -> tuple[Plot, ...]:
    title = metric_title(summary.sweep).capitalize()
    plots = (
        figures.place(
            f"cost-{front.cost.lower()}",
            f"{title} against {front.cost}",
            cost_figure(summary.sweep, front),
        )
        for front in summary.fronts
    )
    return tuple(plot for plot in plots if plot)


def _timeline(figures: Figures, summary: Summary) -> Plot | None:
    if (use := summary.slot_use) is None:
        return None
    title = f"Which trial ran when, on {use.slots:,} slot{'s' if use.slots > 1 else ''}"
    return figures.place("timeline", title, timeline_figure(use), slots_said(use))


def _load(figures: Figures, summary: Summary) -> Plot | None:
    if (use := summary.slot_use) is None:
        return None
    return figures.place("load", LOAD_TITLE, load_figure(summary.sweep, use))


def _pair(
    figures: Figures, sweep: SweepData, key: str, pair: Pair, plane: Plane | None
) -> Plot | None:
    title = f"{pair.x.parameter.name} × {pair.y.parameter.name}"
    if pair.is_drawn:
        figure = plane_figure(sweep, pair, plane)
        return figures.place(key, title, figure, *plane_notes(sweep, plane))
    return figures.place(key, title, pair_figure(sweep, pair), *pair_notes(sweep, pair))


def _winner_facts(summary: Summary) -> tuple[tuple[str, str], ...]:
    """The winner's values, then its results: means over its seeds, if it has several."""
    if summary.winner is None:
        return ()
    best, trial = summary.winner.best, summary.winner.trial
    ranking = summary.sweep.ranking
    over = f", mean of {len(best.values)}" if len(best.values) > 1 else ""
    corrected = CORRECTED if is_corrected(ranking, best) else ""
    facts = [(name, swept_text(value)) for name, value in best.point.items()]
    facts.append((metric_title(summary.sweep) + over + corrected, number(ranking.value_of(best))))
    of = ", best seed" if over else ""
    facts += [
        (title_of(m) + of, number(trial.set_losses.get(m))) for m in summary.sweep.set_metrics
    ]
    facts += [
        ("perplexity" + of, number(trial.perplexity, 2)),
        ("bits per byte" + of, number(trial.bits_per_byte, 3)),
        ("parameters", count(trial.num_params)),
        ("trial" + of, trial.trial_id),
    ]
    if summary.winner.margin is not None:
        facts.append(("margin to the next", number(summary.winner.margin.value)))
    return tuple((name, text) for name, text in facts if text != "-")


def _tied(summary: Summary) -> tuple[TiedPoint, ...]:
    """The tied points; none if the best stands alone."""
    noise = summary.winner.noise if summary.winner else None
    if noise is None or len(noise.tied) < 2:
        return ()
    ranking = summary.sweep.ranking
    return tuple(
        TiedPoint(
            text=unbroken(point.point),
            mean=number(ranking.value_of(point))
            + (CORRECTED if is_corrected(ranking, point) else ""),
            deviation=number(point.deviation),
            seeds=f"{len(point.values)} of {len(point.trials)}",
        )
        for point in noise.tied
    )


def _not_run(summary: Summary) -> tuple[NotRunView, ...]:
    """The points that a search by a model left out, the most promising first."""
    return tuple(
        NotRunView(text=unbroken(end.point), expected=likely(Forecast(end.value, end.deviation)))
        for end in summary.expected
    )


def _importance_note(summary: Summary) -> str:
    importance = summary.importance
    if importance is None:
        return ""
    where = level_title(summary.sweep, importance.level)
    return (
        f"How much each setting decides whether a trial is among the best "
        f"{importance.top_share:.0%} {where}, which {importance.num_trials:,} trials reached "
        "(PED-ANOVA)."
    )


def render(page: Page) -> str:
    """The whole file."""
    return render_template(
        "report.html.jinja",
        page.figures,
        {"trials": trial_details(page.summary.sweep), "shared": shared_config(page.summary.sweep)},
        page=page,
    )
