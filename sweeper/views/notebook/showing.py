"""What a sweep has found out, as a notebook shows it: the sentences of the report, and its figures
as Plotly's own objects."""

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Self

import plotly.graph_objects as go

from sweeper.analysis.summary import Summary
from sweeper.views.prediction import next_sweeps
from sweeper.views.report.figures.figure import Figure
from sweeper.views.report.page import make_page
from sweeper.views.report.rendering import with_code
from sweeper.views.report.words import answer
from trainable.settings import counted


class ShownSummary(Summary):
    """A summary that shows itself."""

    @classmethod
    def of(cls, summary: Summary) -> Self:
        return cls(**{field.name: getattr(summary, field.name) for field in fields(summary)})

    @cached_property
    def figures(self) -> dict[str, go.Figure]:
        """The report's, in its light colours: `curves`, `response-0` and so on, `timeline`."""
        page = make_page(self, "", ())
        return {key: plotly_figure(figure) for key, figure in page.figures.items()}

    def _repr_html_(self) -> str:
        said = answer(self)
        sentences = [said.lede, *said.optima, said.verdict, *said.notes]
        sentences += [remark.text for remark in said.foremost]
        told = f"<h3>{with_code(said.headline)}</h3>{_paragraphs(sentences)}"
        if more := [remark.text for remark in said.more_remarks]:
            summary = counted(len(more), "more remark")
            told += f"<details><summary>{summary}</summary>{_paragraphs(more)}</details>"
        offers = next_sweeps(self, said.remarks)
        return told + _paragraphs([f"{offer.purpose}: `{offer.command}`" for offer in offers])


def _paragraphs(sentences: Sequence[str]) -> str:
    return "".join(f"<p>{with_code(sentence)}</p>" for sentence in sentences if sentence)


def plotly_figure(figure: Figure) -> go.Figure:
    """A figure of the page without what only the page knows: its switches, the chosen trial."""
    *traces, _ = figure["data"]
    if "axes" in figure:  # the curves, which the page can have along several
        places = next(iter(figure["axes"].values()))["x"]
        traces = [trace | {"x": x} for trace, x in zip(traces, places, strict=False)]
    return go.Figure(data=_coloured(traces), layout=_coloured(figure["layout"]))


def _coloured(value: Any, key: str = "") -> Any:
    """With the theme's colours in the place of their names."""
    match value:
        case str() if value.startswith("@") and "color" in key:
            return light_theme()[value.removeprefix("@")]
        case dict():
            return {name: _coloured(of, name) for name, of in value.items()}
        case list() | tuple():
            return [_coloured(of, key) for of in value]
    return value


@cache
def light_theme() -> dict[str, str]:
    """The first rule of the page's style."""
    style = files("sweeper.views.report") / "assets" / "report.css"
    first, *_ = style.read_text(encoding="utf-8").split("}")
    return dict(re.findall(r"--(\w+(?:-\w+)*): ([^;]+);", first))
