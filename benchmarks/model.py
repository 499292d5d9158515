"""Our own model of the loss over the space, in the benchmark of answers: `search: model`, which
runs its points to their ends. As in a sweep, what is named is the best that was run: the surface's
lowest was never better."""

from collections.abc import Iterator, Sequence

from benchmarks.plain_process import whole_runs
from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Draw, Outcome, full_runs
from sweeper.analysis.backtest.strategies import Strategy
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.status import Status
from sweeper.strategy.search.model_search import ModelSearcher
from sweeper.strategy.surface.observation import Observation

NEVER = 1e-9  # a chance at which no search ends


def model(recording: Recording, budgets: Sequence[float]) -> list[Strategy]:
    """At every budget, and ended by itself: with its own first points, which are always the same
    (one replay a seed), and with the first three drawn."""
    return [
        *whole_runs("model", lambda f, d: runs(f, d, alpha=NEVER), budgets),
        *whole_runs("model, random start", lambda f, d: runs(f, d, alpha=NEVER, drawn=3), budgets),
        ended("model, to its own end", 0),
        ended("model, random start, to its own end", 3),
    ]


def ended(name: str, drawn: int) -> Strategy:
    def play(field: Field, draw: Draw) -> Outcome:
        *_, (run, named) = runs(field, draw, alpha=None, drawn=drawn)
        return full_runs(field, draw, run, named)

    return Strategy(name=name, play=play)


def runs(
    field: Field, draw: Draw, *, alpha: float | None, drawn: int = 0
) -> Iterator[tuple[list[int], int]]:
    """The settings run so far, and the one that is named by then; one more each time."""
    spec = model_spec(field, alpha)
    searcher = ModelSearcher(spec)
    index = {repr(curve.point): setting for setting, curve in enumerate(field.curves)}
    run, seen = list[int](), list[Observation]()
    while True:
        if len(run) < drawn:
            run.append(draw.order[len(run)])
        elif (point := next(searcher.points(seen), None)) is not None:
            run.append(index[repr(point)])
        else:
            return
        seen.append(observed(field, run[-1]))
        yield list(run), min(run, key=field.score)


def model_spec(field: Field, alpha: float | None) -> SweepSpec:
    search = field.spec.search.model_copy(update={"algorithm": "model", "alpha": alpha})
    return field.spec.model_copy(update={"search": search})


def observed(field: Field, setting: int) -> Observation:
    curve, values = field.curves[setting], field.values[setting]
    path = tuple(
        (seen.step, value)
        for seen, value in zip(curve.evaluations, values, strict=True)
        if value is not None
    )
    if curve.diverged:
        return Observation(curve.point, Status.DIVERGED, curve=path)
    return Observation(curve.point, Status.COMPLETED, values[-1], path)
