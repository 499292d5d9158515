"""Strategies to replay: each a small function of the curves there are and of what was drawn."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from sweeper.analysis.backtest.recording import Field, Recording
from sweeper.analysis.backtest.replay import Draw, Outcome, replay
from sweeper.analysis.backtest.searching import chooser
from sweeper.spec.points import Point
from sweeper.spec.scheduler_spec import GRACE_SHARE, AnySchedulerSpec, FifoSpec
from sweeper.spec.sweep_spec import Search
from sweeper.status import Decision
from sweeper.strategy.schedulers import make_scheduler
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.hyperband import Hyperband
from sweeper.strategy.schedulers.median import Median
from sweeper.strategy.schedulers.scheduler import Fifo, Promotion, Scheduler, Verdict, score_of

Play = Callable[[Field, Draw], Outcome]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    name: str
    play: Play
    budget: float | None = None  # share of the whole grid's tokens that it may use


class TopK(Fifo):
    """Every trial to one rung; once all are there, the best `number` of them to their ends."""

    def __init__(self, rung: int, number: int, sign: float) -> None:
        self.rung = rung
        self.number = number
        self.sign = sign
        self.on_the_way: set[str] = set()
        self.scores: dict[str, float] = {}  # of those at the rung
        self.promoted: set[str] = set()

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None:
        self.on_the_way.add(trial_id)

    def ended(self, trial_id: str) -> None:
        self.on_the_way.discard(trial_id)

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        if time < self.rung or time >= end or trial_id in self.promoted:
            return Verdict(Decision.CONTINUE)
        score = score_of(value, self.sign)
        if score == math.inf:
            return Verdict(Decision.STOP, rung=self.rung)
        self.scores[trial_id] = score
        self.on_the_way.discard(trial_id)
        return Verdict(Decision.PAUSE, rung=self.rung)

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        if more or self.on_the_way - self.promoted:
            return None
        best = sorted(self.scores, key=self.scores.__getitem__)[: self.number]
        return next((Promotion(t, self.rung) for t in best if t in paused), None)

    def promote(self, promotion: Promotion) -> None:
        self.promoted.add(promotion.trial_id)


def scheduled(name: str, make: Callable[[Field], Scheduler]) -> Strategy:
    """Every setting, in the order that was drawn, under this scheduler."""
    return Strategy(name=name, play=lambda field, draw: replay(field, draw, make(field)))


def played(scheduler: AnySchedulerSpec, search: Search, field: Field, draw: Draw) -> Outcome:
    """What a sweep with these sections does."""
    spec = field.spec.model_copy(update={"scheduler": scheduler, "search": search})
    return replay(
        field,
        draw,
        make_scheduler(spec),
        clock=scheduler.clock,
        choose=chooser(field, spec, draw.order) if search.learns else None,
        num_trials=search.num_trials,
    )


def by_model() -> Strategy:
    """`search: {algorithm: model}`, as in search_spaces/lr.yaml. It depends on no order that is
    drawn: one replay of each seed is all of them."""
    known: dict[tuple[int, int], Outcome] = {}

    def play(field: Field, draw: Draw) -> Outcome:
        if (key := (id(field), draw.slots)) not in known:
            listed = Draw(number=0, order=tuple(sorted(draw.order)), slots=draw.slots)
            known[key] = played(FifoSpec(), Search(algorithm="model"), field, listed)
        return known[key]

    return Strategy(name="search: model", play=play)


def random_part(share: float) -> Strategy:
    """Settings in the order that was drawn, to their ends, for this share of the tokens."""

    def play(field: Field, draw: Draw) -> Outcome:
        return replay(field, draw, Fifo(), num_trials=affordable(field, draw.order, share))

    return Strategy(name="random", play=play, budget=share)


def affordable(field: Field, order: Iterable[int], share: float) -> int:
    """How many of these settings, run to their ends, come nearest to this share of the whole grid's
    tokens; at least one."""
    spent, tokens = 0, [0]
    for setting in order:
        spent += field.tokens_of(setting)
        tokens.append(spent)
    return min(range(1, len(tokens)), key=lambda n: abs(tokens[n] - share * field.whole))


def top_k(recording: Recording, budget: float) -> Strategy:
    """Half of the budget for a look at every setting, half to bring the best to their ends."""
    rung = rung_near(recording, budget / 2)

    def play(field: Field, draw: Draw) -> Outcome:
        ends = [field.curves[setting].evaluations[-1].step for setting in draw.order]
        looks = field.tokens([min(rung, end) for end in ends])
        rest = max(ends) - rung
        each = rest * max(curve.tokens_per_step for curve in field.curves)
        number = round((budget * field.whole - looks) / each) if each else len(ends)
        return replay(field, draw, TopK(rung, max(1, number), field.sign))

    return Strategy(name="top-k after one rung", play=play, budget=budget)


def asha(recording: Recording, form: Literal["stop", "promote"], share: float) -> Strategy:
    grace = rung_near(recording, share)
    return scheduled(
        f"asha, {form}, grace {grace}",
        lambda field: Asha(grace, 2, form=form, objective=field.spec.objective.mode),
    )


def hyperband(recording: Recording) -> Strategy:
    grace = rung_near(recording, 1 / 9)
    return scheduled(
        f"hyperband, grace {grace}",
        lambda field: Hyperband(grace, 3, objective=field.spec.objective.mode),
    )


def median(recording: Recording) -> Strategy:
    grace = rung_near(recording, 1 / 4)
    return scheduled(
        f"median, grace {grace}",
        lambda field: Median(grace, 3, objective=field.spec.objective.mode),
    )


def baselines(recording: Recording) -> list[Strategy]:
    """What every backtest compares with. The first ASHA has the rungs of search_spaces/lr.yaml."""
    return [
        scheduled("full grid", lambda field: Fifo()),
        random_part(0.5),
        top_k(recording, 0.4),
        asha(recording, "stop", 1 / GRACE_SHARE),
        asha(recording, "stop", 1 / 4),
        asha(recording, "promote", 1 / GRACE_SHARE),
        asha(recording, "promote", 1 / 4),
        hyperband(recording),
        median(recording),
        by_model(),
    ]


def rung_near(recording: Recording, share: float) -> int:
    """The first step at or beyond this share of the longest trial at which all were evaluated."""
    wanted = share * recording.max_steps
    return next((step for step in recording.evaluated if step >= wanted), recording.evaluated[-1])
