"""A backtest as one picture: what each strategy loses, against what it spends."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from sweeper.analysis.backtest.backtesting import Backtest
from sweeper.errors import RecordingError
from sweeper.views.report.pictures import GROUP_COLOURS, Draw, write_picture


def write_backtest(path: Path, found: Sequence[Backtest]) -> None:
    """Write it, whole or not at all.

    Raises:
        RecordingError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, _regret_against_tokens(found))
    except OSError as error:
        raise RecordingError(f"--plot {path}: cannot be written ({error.strerror})") from None


def _regret_against_tokens(found: Sequence[Backtest]) -> Draw:
    """A look of its own for each strategy; where there are several recordings, each by its name."""
    looks = list(itertools.product("os^D", GROUP_COLOURS))
    titles = list(dict.fromkeys(row.title for one in found for row in one.rows))

    def draw(axes: Axes) -> None:
        for index, title in enumerate(titles):
            marker, colour = looks[index % len(looks)]
            at = [(one, row) for one in found for row in one.rows if row.title == title]
            x = [100 * row.tokens for _, row in at]
            y = [row.regret_percent for _, row in at]
            axes.plot(x, y, marker, color=colour, label=title)
            for (one, _), point in zip(at, zip(x, y, strict=True), strict=True):
                name = one.truth.recording.name if len(found) > 1 else ""
                axes.annotate(name, point, (5, 3), textcoords="offset points", fontsize=6)
        for one in found:
            if one.truth.deviation is not None:
                sd = 100 * one.truth.deviation / abs(one.truth.value)
                axes.axhline(sd, color="#9aa1aa", linewidth=0.8, linestyle="--")
        axes.set(xlabel="tokens, % of the whole grid's", ylabel="mean regret, %", ylim=(0, None))
        axes.set_title("dashed: one sd of the seeds", loc="left", fontsize=9)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)

    return draw
