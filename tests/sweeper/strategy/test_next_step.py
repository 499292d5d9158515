"""The order in which a free slot is used: what both the engine and the simulation do."""

import ast
import inspect
from collections.abc import Collection
from typing import Any

import pytest

from sweeper.engine import sweep
from sweeper.strategy import simulation
from sweeper.strategy.next_step import Step, next_step
from sweeper.strategy.schedulers.scheduler import Fifo, Promotion

EARNED, FAVOURITE = Promotion("0001", 4), Promotion("0002", 8)


class Stub(Fifo):
    """Says what it is told to."""

    def __init__(self, earned: Promotion | None, favourite: Promotion | None) -> None:
        self._earned, self._favourite = earned, favourite

    def promotion(self, paused: Collection[str], *, more: bool = True) -> Promotion | None:
        return self._earned

    def favourite(self, paused: Collection[str]) -> Promotion | None:
        return self._favourite


@pytest.mark.parametrize(
    ("paused", "earned", "favourite", "more", "busy", "completed", "step"),
    [
        ({"0001"}, EARNED, FAVOURITE, True, True, False, EARNED),
        ({"0001"}, EARNED, FAVOURITE, False, False, True, EARNED),
        ({"0001"}, None, FAVOURITE, True, False, False, Step.CREATE),
        (set(), EARNED, FAVOURITE, True, True, False, Step.CREATE),
        ({"0001"}, None, FAVOURITE, False, True, False, Step.WAIT),
        (set(), None, FAVOURITE, False, False, False, Step.WAIT),
        ({"0001"}, None, FAVOURITE, False, False, False, FAVOURITE),
        ({"0001"}, None, None, False, False, False, Step.END),
        ({"0001"}, None, FAVOURITE, False, False, True, Step.END),
    ],
)
def test_promotion_then_a_new_trial_then_the_favourite_then_the_end(
    paused: set[str],
    earned: Promotion | None,
    favourite: Promotion | None,
    more: bool,
    busy: bool,
    completed: bool,
    step: Any,
) -> None:
    scheduler = Stub(earned, favourite)
    assert next_step(scheduler, paused, more=more, busy=busy, completed=completed) == step


@pytest.mark.parametrize("module", [sweep, simulation])
def test_nobody_else_decides_it(module: Any) -> None:
    """Neither asks the scheduler by itself who goes on."""
    tree = ast.parse(inspect.getsource(module))
    called = {node.func.attr for node in ast.walk(tree)
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}  # fmt: skip
    assert not called & {"promotion", "favourite"}
