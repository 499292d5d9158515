"""ASHA that promotes beside Algorithm 2 of the paper, through failures and restarts.

Any number of workers finish, fail or ask for work in any order; at any time the scheduler may be
thrown away and rebuilt from the log, as a resumed sweep does.
"""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sweeper.status import Decision
from sweeper.strategy.schedulers.asha import Asha
from sweeper.strategy.schedulers.scheduler import Promotion

RUNGS = 3


class Workers(RuleBasedStateMachine):
    @initialize(grace=st.integers(1, 3), factor=st.integers(2, 4))
    def begin(self, grace: int, factor: int) -> None:
        self.grace, self.factor = grace, factor
        self.max_steps = grace * factor**RUNGS
        self.log: list[tuple[str, int, float | None] | Promotion] = []
        self.running: dict[str, int] = {}  # trial -> the step it trains towards
        self.paused: set[str] = set()
        self.created = 0
        # The paper's state: what has been seen at each rung, and who was promoted from it.
        self.seen: dict[int, list[tuple[float, str]]] = {}
        self.promoted: set[tuple[int, str]] = set()
        self.restart()

    @rule()
    def restart(self) -> None:
        self.asha = Asha(self.grace, self.factor, form="promote")
        for entry in self.log:
            if isinstance(entry, Promotion):
                self.asha.promote(entry)
            else:
                self.asha.report(*entry, end=self.max_steps)

    def get_job(self) -> tuple[str, int] | None:
        """Algorithm 2 in Li et al., without its last line (a new configuration)."""
        for rung in sorted(self.seen, reverse=True):
            in_order_of_arrival = self.seen[rung]
            best_first = sorted(in_order_of_arrival, key=lambda pair: pair[0])
            candidates = best_first[: len(in_order_of_arrival) // self.factor]
            promotable = [trial for _, trial in candidates if (rung, trial) not in self.promoted]
            if promotable:
                return promotable[0], rung
        return None

    @rule()
    def a_worker_asks(self) -> None:
        promotion = self.asha.promotion(self.paused)
        assert (promotion and (promotion.trial_id, promotion.rung)) == self.get_job()
        if promotion is None:
            self.running[f"{self.created:04d}"] = self.grace
            self.created += 1
            return
        self.log.append(promotion)
        self.asha.promote(promotion)
        self.promoted.add((promotion.rung, promotion.trial_id))
        self.paused.remove(promotion.trial_id)
        self.running[promotion.trial_id] = promotion.rung * self.factor

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        value=st.one_of(
            st.floats(0, 9), st.sampled_from([1.0, math.nan, math.inf, -math.inf]), st.none()
        ),
    )
    def one_arrives(self, data: st.DataObject, value: float | None) -> None:
        trial = data.draw(st.sampled_from(sorted(self.running)))
        step = self.running.pop(trial)
        self.log.append((trial, step, value))
        verdict = self.asha.report(trial, step, value, end=self.max_steps)
        if step == self.max_steps:
            assert verdict.decision is Decision.CONTINUE  # its end is none of the scheduler's
            return
        finite = value is not None and math.isfinite(value)
        self.seen.setdefault(step, []).append((value if finite else math.inf, trial))  # type: ignore[arg-type]
        if finite:
            assert verdict.decision is Decision.PAUSE
            self.paused.add(trial)
        else:
            assert verdict.decision is Decision.STOP
            self.promoted.add((step, trial))  # stopped: it can never go on

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_fails_for_good(self, data: st.DataObject) -> None:
        """It was never seen at the rung it trained towards, and never will be."""
        del self.running[data.draw(st.sampled_from(sorted(self.running)))]

    @invariant()
    def nobody_is_lost(self) -> None:
        """Who is paused can still be promoted, if only more arrive: it has a place at its rung."""
        for trial in self.paused:
            assert self.asha.favourite({trial}) is not None


Workers.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestWorkers = Workers.TestCase
