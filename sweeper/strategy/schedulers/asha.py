"""Asynchronous successive halving, with several brackets too."""

import bisect
import itertools
import math
from collections.abc import Collection, Iterator
from typing import Literal

from sweeper.spec.points import Point
from sweeper.spec.sweep_spec import sign_of
from sweeper.status import Decision
from sweeper.strategy.schedulers.scheduler import Promotion, Verdict, score_of


class Bracket:
    """Rungs at grace × reduction_factor^k, and who has reached them."""

    def __init__(self, grace: int, reduction_factor: int) -> None:
        self.grace = grace
        self.reduction_factor = reduction_factor
        self.rungs: dict[int, dict[str, float]] = {}  # rung -> trial -> score, less is better
        # rung -> (score, arrival, trial), kept sorted: it is asked for at every turn
        self.order: dict[int, list[tuple[float, int, str]]] = {}
        self.promoted: dict[int, set[str]] = {}
        self.left: dict[int, list[tuple[float, int, str]]] = {}  # of `order`, who was not promoted

    def highest_rung(self, time: int) -> int | None:
        """The highest rung at or below `time`."""
        if time < self.grace:
            return None
        rung = self.grace
        while rung * self.reduction_factor <= time:
            rung *= self.reduction_factor
        return rung

    def arrive(self, trial_id: str, rung: int, score: float) -> int:
        """The trial's rank among those that have reached the rung; in a tie, behind the earlier."""
        peers = self.rungs.setdefault(rung, {})
        place = (score, len(peers), trial_id)
        peers[trial_id] = score
        for places in (self.order, self.left):
            bisect.insort(places.setdefault(rung, []), place)
        return 1 + self.rank(trial_id, rung)

    def rank(self, trial_id: str, rung: int) -> int:
        """How many trials rank before this one at the rung."""
        return self._index(self.order[rung], trial_id, rung)

    def _index(self, places: list[tuple[float, int, str]], trial_id: str, rung: int) -> int:
        first = bisect.bisect_left(places, (self.rungs[rung][trial_id],))
        return next(i for i in range(first, len(places)) if places[i][2] == trial_id)

    def promote(self, trial_id: str, rung: int) -> None:
        promoted = self.promoted.setdefault(rung, set())
        if trial_id in self.rungs.get(rung, ()) and trial_id not in promoted:
            del self.left[rung][self._index(self.left[rung], trial_id, rung)]
        promoted.add(trial_id)

    def candidates(self, rung: int, paused: Collection[str], *, earned: bool) -> Iterator[str]:
        """The trials paused at the rung, best first; if `earned`, only those in its best share."""
        order = self.order.get(rung, [])
        share = len(order) // self.reduction_factor if earned else len(order)
        if share:  # of thousands who have reached the rung, most of the best were promoted long ago
            ranked = itertools.takewhile(order[share - 1].__ge__, self.left[rung])
            yield from (trial_id for _, _, trial_id in ranked if trial_id in paused)


class Asha:
    """Asynchronous successive halving (Li et al., arXiv 1810.05934), in both of its forms.

    Rungs are at grace × reduction_factor^k on the sweep's clock, in whole numbers, below a trial's
    end. A tie ranks behind those that reached the rung before. A value that is missing or not
    finite ranks last and always stops.

    - `stop`: a trial that reaches a rung goes on if it ranks among the best
      ceil(n / reduction_factor) of the n trials that have reached it so far, itself included.
    - `promote`: every trial pauses at its rung, and goes on once it ranks among the best
      floor(n / reduction_factor) of the n that have reached it. The highest rung is looked at first
      (Algorithm 2). So no trial is dropped that could still be promoted.

    A report that jumps over several rungs counts at the highest of them only: its value says
    nothing about the lower ones. Rungs at or below a trial's last report are never filled in later,
    so a resumed trial cannot distort them.

    With several brackets (asynchronous Hyperband), bracket s has its first rung
    at grace × reduction_factor^s, and trials are compared within their bracket only. A trial joins
    at its first report the bracket that has then been given the least budget: a trial of bracket s
    of B counts for reduction_factor^s × (B - s), which is what its rungs cost in Hyperband.
    """

    def __init__(
        self,
        grace: int,
        reduction_factor: int,
        *,
        form: Literal["stop", "promote"] = "stop",
        objective: Literal["min", "max"] = "min",
        brackets: int = 1,
    ) -> None:
        if grace < 1 or reduction_factor < 2 or brackets < 1:
            raise ValueError(
                f"needs grace >= 1, reduction_factor >= 2 and brackets >= 1, "
                f"got {grace}, {reduction_factor} and {brackets}"
            )
        self.reduction_factor = reduction_factor
        self.form = form
        self.sign = sign_of(objective)
        self.brackets = [
            Bracket(grace * reduction_factor**s, reduction_factor) for s in range(brackets)
        ]
        self.members = [0] * brackets
        self.bracket_of: dict[str, Bracket] = {}
        self.last_time: dict[str, int] = {}

    def added(self, trial_id: str, end: int, point: Point | None = None) -> None: ...

    def ended(self, trial_id: str) -> None: ...

    def report(self, trial_id: str, time: int, value: float | None, end: int) -> Verdict:
        previous, self.last_time[trial_id] = self.last_time.get(trial_id, 0), time
        bracket = self._bracket(trial_id)
        rung = bracket.highest_rung(min(time, end - 1))
        if rung is None or rung <= previous:
            return Verdict(Decision.CONTINUE)
        score = score_of(value, self.sign)
        rank = bracket.arrive(trial_id, rung, score)
        of = len(bracket.rungs[rung])
        if score == math.inf:
            decision = Decision.STOP
        elif self.form == "promote":
            decision = Decision.PAUSE
        else:
            goes_on = rank <= math.ceil(of / self.reduction_factor)
            decision = Decision.CONTINUE if goes_on else Decision.STOP
        return Verdict(decision, rung=rung, rank=rank, of=of)

    def _bracket(self, trial_id: str) -> Bracket:
        if trial_id not in self.bracket_of:
            number = len(self.brackets)

            def budget_with_one_more(s: int) -> int:
                return (self.members[s] + 1) * self.brackets[s].grace * (number - s)

            least = min(range(number), key=budget_with_one_more)
            self.members[least] += 1
            self.bracket_of[trial_id] = self.brackets[least]
        return self.bracket_of[trial_id]

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        return next(self._candidates(paused, earned=True), None)

    def promote(self, promotion: Promotion) -> None:
        self.bracket_of[promotion.trial_id].promote(promotion.trial_id, promotion.rung)

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return next(self._candidates(paused, earned=False), None)

    def standing(self, paused: Collection[str]) -> list[str]:
        """By the share of the trials at their rung that rank before them: from 1 / reduction_factor
        down they go on. Of equals the one on the higher rung comes first: without its checkpoint,
        more would have to be trained again."""

        def place(trial_id: str) -> tuple[float, int, str]:
            bracket = self.bracket_of[trial_id]
            rung = max(rung for rung, peers in bracket.rungs.items() if trial_id in peers)
            return bracket.rank(trial_id, rung) / len(bracket.rungs[rung]), -rung, trial_id

        return sorted(paused, key=place)

    def _candidates(self, paused: Collection[str], *, earned: bool) -> Iterator[Promotion]:
        """From the highest rung down; at the same rung, brackets that begin lower come first."""
        for rung in sorted({rung for b in self.brackets for rung in b.rungs}, reverse=True):
            for bracket in self.brackets:
                for trial_id in bracket.candidates(rung, paused, earned=earned):
                    yield Promotion(trial_id, rung)
