"""A page of values as one file, with its style, its scripts and Plotly."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from sweeper.views.report.figures.figure import Figure

if TYPE_CHECKING:
    from markupsafe import Markup

# In the order in which the page runs them.
SCRIPTS = (
    "figures.js",
    "curves.js",
    "costs.js",
    "parallel.js",
    "filter.js",
    "table.js",
    "chosen.js",
    "refresh.js",
)


def render_template(
    name: str, figures: Mapping[str, Figure], data: Mapping[str, object], **values: object
) -> str:
    """A page in one file, with its style, its script and Plotly; `data` is for the script."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # a sweep starts without it

    environment = Environment(
        loader=PackageLoader("sweeper.views.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = files("sweeper.views.report") / "assets"
    environment.filters["with_code"] = with_code
    return environment.get_template(name).render(
        figures=figures,
        style=(own / "report.css").read_text(encoding="utf-8"),
        script="\n".join((own / "script" / name).read_text("utf-8") for name in SCRIPTS),
        plotly=_packed_plotly(),
        data=_embedded({"figures": figures, **data}),
        **values,
    )


def _packed_plotly() -> str:
    """plotly.js, zipped and in base64: a third of its size. The page unpacks it when it opens."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(source, mtime=0)).decode("ascii")


def with_code(text: str) -> "Markup":
    """HTML in which the words between backticks are set as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _embedded(value: object) -> str:
    """JSON that stands in a script element: no text in it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
