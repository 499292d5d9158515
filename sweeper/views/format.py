"""Numbers for people: counts, durations, sizes, errors."""

import math
from typing import TYPE_CHECKING

from sweeper.spec.points import swept_text
from sweeper.spec.sizes import UNITS
from trainable.loop.metrics import Metrics
from trainable.validation_sets import set_of

if TYPE_CHECKING:
    from sweeper.analysis.forecasts import Forecast
    from sweeper.analysis.summary.optimum import OptimumInterval


HUGE = 1e7  # of which nobody reads the decimals


def count(number: float | None) -> str:
    """1234567 as `1.2M`."""
    if number is None:
        return "-"
    for limit, unit, least in ((1e9, "B", 999.95e6), (1e6, "M", 999.95e3), (1e3, "k", 999.5)):
        if abs(number) >= least:  # that rounds up to the unit
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def flops(number: float) -> str:
    """2.6e13 as `26.0T`."""
    for limit, unit in ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return count(number)


def duration(seconds: float | None) -> str:
    """3725 as `1h02m`."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def size(num_bytes: float | None) -> str:
    """1234567 bytes as `1.2 MB`."""
    if num_bytes is None:
        return "-"
    for unit in ("TB", "GB", "MB", "kB"):
        if num_bytes >= UNITS[unit] * 0.99995:  # that rounds up to the unit
            return f"{num_bytes / UNITS[unit]:.1f} {unit}"
    return f"{num_bytes:.0f} B"


def headline(error: str) -> str:
    """The line of an error that says most: the one that names the exception, below the last frame
    of a traceback; without a traceback, the first line."""
    lines = error.strip().splitlines() or [""]
    frames = [i for i, line in enumerate(lines) if line.startswith('  File "')]
    below = lines[frames[-1] + 1 :] if frames else lines
    return next((line for line in below if not line.startswith(" ")), lines[0])


def likely(forecast: "Forecast", *, ascii: bool = False) -> str:
    """`1.43 ± 0.02`: with as many decimals as its deviation gives a meaning to, at most four."""
    digits = math.ceil(-math.log10(forecast.deviation / 2)) if forecast.deviation > 0 else 4
    digits = max(0, min(4, digits))
    between = "+/-" if ascii else "±"
    return f"{forecast.mean:.{digits}f} {between} {forecast.deviation:.{digits}f}"


def number(value: float | None, digits: int = 4) -> str:
    """A measured value with a fixed number of decimals, in powers of ten where it is huge; `-` if
    there is none."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if abs(value) < HUGE else f"{value:.4g}"


METRIC_TITLES = {
    "val_loss": "validation loss",
    "val_perplexity": "validation perplexity",
    "val_bits_per_byte": "bits per byte",
    "val_loss_ema": "validation loss of the averaged weights",
    "train_loss": "training loss",
    "grad_norm": "gradient norm",
    "learning_rate": "learning rate",
}


def title_of(metric: str) -> str:
    """As people say it."""
    name = set_of(metric)
    return METRIC_TITLES.get(metric, metric) if name is None else f"validation loss on {name}"


def estimate_text(deviation: float) -> str:
    """Of the noise, where no point was repeated."""
    return (
        "What neighbouring points leave over suggests that another seed moves it by about "
        f"{deviation:.2g} (standard deviation, an estimate)."
    )


def optimum_label(optimum: "OptimumInterval") -> str:
    """As `0.0021 (95 %: 0.0018 to 0.0025)`, in a plot."""
    taken = rounded(optimum.taken) if optimum.is_known else "anywhere"
    return f"{taken} (95 %: {interval_text(optimum)})"


def optimum_text(optimum: "OptimumInterval") -> str:
    """As `Take learning_rate 0.0021: the best lies in 0.0018 to 0.0025 (95 %), and …`."""
    name, taken, interval = optimum.name, rounded(optimum.taken), interval_text(optimum)
    of = "" if optimum.group is None else f" for {swept_text(optimum.group)}"
    if not optimum.is_known:
        return f"Where the best {name}{of} lies cannot be told: anywhere from {interval}."
    if optimum.level is not None:
        return (
            f"At their ends too few trials can be compared. At rung {optimum.level.rung:,}, the "
            f"deepest with others on both sides of it, the best {name}{of} lay in "
            f"{interval} (95 %); at the end it may be another."
        )
    text = f"Take {name} {taken}{of}: the best lies in {interval} (95 %)"
    if optimum.at_low_end or optimum.at_high_end:
        return f"{text}, at the edge of what was tried."
    worse = number(optimum.regret)
    if optimum.value:
        worse = f"{worse} ({100 * optimum.regret / abs(optimum.value):.2f} %)"
    return f"{text}, and {taken} is at most {worse} worse than it."


def interval_text(optimum: "OptimumInterval") -> str:
    """As `0.0018 to 0.0025`, `0.018 to 0.032 or above`."""
    below = " or below" if optimum.at_low_end else ""
    above = " or above" if optimum.at_high_end else ""
    return f"{rounded(optimum.low)}{below} to {rounded(optimum.high)}{above}"


def rounded(value: float) -> str:
    """To two digits, as `0.0021`."""
    return f"{float(f'{value:.2g}'):.12g}"


def measured_text(metrics: Metrics, objective: str) -> str:
    """The losses of an evaluation in one line, and what the sweep is judged by; a trainer that is
    not ours does not know all of them."""
    told = [
        (METRIC_TITLES["val_loss"], number(metrics.val_loss), metrics.val_loss),
        ("perplexity", number(metrics.val_perplexity, 2), metrics.val_perplexity),
    ]
    parts = [f"{title} {text}" for title, text, value in told if value is not None]
    if metrics.val_bits_per_byte is not None:
        parts.append(f"{number(metrics.val_bits_per_byte, 3)} bits per byte")
    for name, value in metrics.others.items():
        if name == objective:
            parts.insert(0, f"{title_of(name)} {number(value)}")
        elif set_of(name) is not None:
            parts.append(f"{title_of(name)} {number(value)}")
    return ", ".join(parts)
