"""The answer of a sweep over sizes, in words and as a table: the same in every view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweeper.analysis.summary.optimum import OptimumInterval
from sweeper.analysis.summary.sizes import SizeBest, noise_between
from sweeper.analysis.summary.summarising import Summary
from sweeper.spec.points import Point, point_text, swept_text
from sweeper.status import Status
from sweeper.views.format import (
    count,
    duration,
    flops,
    interval_text,
    likely,
    number,
    rounded,
    title_of,
)
from sweeper.views.verdict import NOISE_UNKNOWN, Naming, Verdict, ground, listing, verdict_of

MOST_NAMED = 6  # sizes in a headline
LEARNING_RATE = "learning_rate"  # the setting that a headline is about, where it is swept


@dataclass(frozen=True, kw_only=True)
class SizesAnswer:
    headline: str
    lede: str
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True)
class SizeColumn:
    """`intervals`: below each value, where the best one lies. `drop`: what a narrow screen leaves
    out first, the lowest number before the others."""

    heading: str
    cells: tuple[str, ...]
    intervals: tuple[str, ...] = ()
    is_number: bool = True
    drop: int | None = None

    @property
    def has_intervals(self) -> bool:
        return any(self.intervals)


def sizes_answer(
    summary: Summary, *, finished: bool, named: Naming = point_text
) -> SizesAnswer | None:
    """What each size wants, then what the larger ones gain. None where no sizes were swept, or
    fewer than two have come to ends that can be compared."""
    ended = [size for size in summary.sizes if size.best is not None and size.is_comparable]
    if len(ended) < 2:
        return None
    so_far = "" if finished else " so far"
    return SizesAnswer(
        headline=f"{_headline(summary, ended, named)}{so_far}",
        lede=_lede(summary, ended, named),
        verdict=_verdict(summary, ended, finished, named),
    )


def _headline(summary: Summary, ended: Sequence[SizeBest], named: Naming) -> str:
    names = [name for size in ended for name in size.settings]
    if not names:
        told = [f"{number(size.value, 3)} at {_name(size, named)}" for size in ended]
        return f"{title_of(summary.sweep.metric).capitalize()} {_some_of(told)}"
    name = LEARNING_RATE if LEARNING_RATE in names else names[0]
    told = [f"{_taken(s, name)} at {_name(s, named)}" for s in ended if name in s.settings]
    return f"Best {name}: {_some_of(told)}"


def _some_of(told: Sequence[str]) -> str:
    if len(told) > MOST_NAMED:
        return f"from {told[0]} to {told[-1]}, over {len(told)} sizes"
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]


def _name(size: SizeBest, named: Naming) -> str:
    """`small`, or with the settings that make it: `d_model 64`."""
    values = list(size.size.values())
    return str(values[0]) if len(values) == 1 and isinstance(values[0], str) else named(size.size)


def _taken(size: SizeBest, name: str) -> str:
    """The value to take, where the curve tells one; otherwise the best that was tried."""
    optimum = _optimum(size, name)
    if optimum is not None and optimum.level is None and optimum.is_known:
        return rounded(optimum.taken)
    return swept_text(size.settings[name])


def _optimum(size: SizeBest, name: str) -> OptimumInterval | None:
    return next((optimum for optimum in size.optima if optimum.name == name), None)


def _lede(summary: Summary, ended: Sequence[SizeBest], named: Naming) -> str:
    sign = summary.sweep.sign
    first, second = sorted(ended, key=lambda size: sign * (size.value or 0.0))[:2]
    assert first.value is not None and second.value is not None, "they have come to their ends"
    text = (
        f"{title_of(summary.sweep.metric).capitalize()} {number(first.value)} of "
        f"{_name(first, named)}, the best of the sizes: "
        f"{number(sign * (second.value - first.value))} ahead of {_name(second, named)}"
    )
    ours, theirs = _flops(first), _flops(second)
    if ours and theirs:
        text += f", for {ours / theirs:.2g} times its FLOPs"
    return f"{text}."


def _verdict(
    summary: Summary, ended: Sequence[SizeBest], finished: bool, named: Naming
) -> Verdict | None:
    ranking = summary.sweep.ranking
    if ranking.finals is not None and len(ranking.finals.points) > 1:
        return verdict_of(ranking, finished=finished, named=named)
    noise = noise_between(ended, summary.sweep.sign)
    if noise is None or noise.least_difference is None:
        return Verdict(kind="unknown", text=NOISE_UNKNOWN)
    so_far = "" if finished else ", so far"
    if len(noise.tied) == 1:
        text = f"That is more than noise{so_far}: {ground(noise)}"
        return Verdict(kind="clear" if finished else "open", text=text)
    tied = [_name(s, named) for s in ended if s.best in noise.tied]
    text = f"That is within the noise{so_far}: {_some_of(tied)} are tied. {ground(noise)}"
    return Verdict(kind="tied", text=text.replace("another", "Another", 1))


def size_columns(summary: Summary) -> tuple[SizeColumn, ...]:
    """A row for each size, from the smallest up; none where no sizes were swept."""
    return tuple(_columns(summary)) if summary.sizes else ()


def untold_optima(summary: Summary) -> tuple[OptimumInterval, ...]:
    """Those that the table of the sizes does not show."""
    shown = [optimum for size in summary.sizes for optimum in size.optima]
    return tuple(optimum for optimum in summary.optima if optimum not in shown)


def _columns(summary: Summary) -> Iterator[SizeColumn]:
    sizes, metric = summary.sizes, summary.sweep.metric
    for name in dict.fromkeys(name for size in sizes for name in size.size):
        cells = (swept_text(s.size[name]) if name in s.size else "" for s in sizes)
        yield SizeColumn(heading=name, cells=tuple(cells), is_number=False)
    heading = metric.removeprefix("val_").replace("_", " ")
    yield SizeColumn(heading=heading, cells=tuple(map(_value, sizes)))
    for name in dict.fromkeys(name for size in sizes for name in size.settings):
        optima = [_optimum(size, name) for size in sizes]
        yield SizeColumn(
            heading=name,
            cells=tuple(swept_text(s.settings[name]) if name in s.settings else "" for s in sizes),
            intervals=tuple("" if o is None else _interval(o) for o in optima),
        )
    if any(size.rivals for size in sizes):
        cells = (_rivals(size) for size in sizes)
        yield SizeColumn(heading="tied with", cells=tuple(cells), is_number=False, drop=0)
    costs: dict[str, list[str]] = {
        "params": [count(size.trial.num_params) for size in sizes],
        "tokens": [count(_tokens(size)) for size in sizes],
        "FLOPs": [flops(spent) if (spent := _flops(size)) else "-" for size in sizes],
        "tok/s": [count(size.trial.tokens_per_second) for size in sizes],
        "time": [duration(size.trial.seconds) for size in sizes],
    }
    drops = {"tokens": 1, "time": 2, "tok/s": 3}
    for heading, told_of_each in costs.items():
        yield SizeColumn(heading=heading, cells=tuple(told_of_each), drop=drops.get(heading))


def _interval(optimum: OptimumInterval) -> str:
    if not optimum.is_known:
        return "anywhere"
    if optimum.level is not None:
        return f"{interval_text(optimum)}, before the end"
    return f"take {rounded(optimum.taken)} ({interval_text(optimum)})"


def _value(size: SizeBest) -> str:
    """Of a size that has not come to its end: where it stands, and where it is likely to end."""
    best, trial = size.best, size.trial
    if best is not None:
        deviation = "" if best.deviation is None else f" ± {number(best.deviation)}"
        return f"{number(size.value)}{deviation}"
    if trial.forecast is not None:
        return f"likely {likely(trial.forecast)}"
    if trial.status in (Status.DIVERGED, Status.FAILED):
        return str(trial.status)
    return f"{number(trial.value)} at step {trial.step:,}"


def _rivals(size: SizeBest) -> str:
    """What else is swept, at the points that are tied with its best."""
    points: list[Point] = [
        {name: value for name, value in rival.point.items() if name not in size.size}
        for rival in size.rivals
    ]
    return listing(points, _value_alone) if points else ""


def _value_alone(point: Point) -> str:
    (*_, value) = point.values()
    return swept_text(value) if len(point) == 1 else point_text(point)


def _tokens(size: SizeBest) -> int | None:
    per_step = size.trial.tokens_per_step
    return None if per_step is None else size.trial.step * per_step


def _flops(size: SizeBest) -> int | None:
    per_step = size.trial.flops_per_step
    return None if per_step is None else size.trial.step * per_step


def sizes_json(summary: Summary) -> list[dict[str, object]]:
    """From the smallest up; what was not measured is null."""
    return [
        {
            "size": size.size,
            "trial_id": size.trial.trial_id,
            "status": size.trial.status.value,
            "point": size.trial.point,
            "value": size.value,
            "mean": None if size.best is None else size.best.mean,
            "deviation": None if size.best is None else size.best.deviation,
            "optima": {
                optimum.name: {"low": optimum.low, "high": optimum.high, "taken": optimum.taken}
                for optimum in size.optima
            },
            "tied": [rival.point for rival in size.rivals],
            "num_params": size.trial.num_params,
            "tokens": _tokens(size),
            "flops": _flops(size),
            "tokens_per_second": size.trial.tokens_per_second,
            "train_seconds": size.trial.seconds,
        }
        for size in summary.sizes
    ]
