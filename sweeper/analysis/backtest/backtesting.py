"""Strategies on recordings, over many orders: what each spends, and how often it is wrong."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweeper.analysis.backtest.judging import Row, Truth, judge, summed_up
from sweeper.analysis.backtest.recording import Recording
from sweeper.analysis.backtest.replay import Draw, replay
from sweeper.analysis.backtest.stated import stated_strategy
from sweeper.analysis.backtest.strategies import Strategy, baselines
from sweeper.strategy.schedulers.scheduler import Fifo


def draws(recording: Recording, number: int, slots: int) -> Iterator[Draw]:
    """So many orders of the settings; the same again for the same number of settings."""
    rng = random.Random(0)
    settings = range(len(recording.settings))
    for index in range(number):
        yield Draw(number=index, order=tuple(rng.sample(settings, len(settings))), slots=slots)


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """One recording, and every strategy on it."""

    truth: Truth
    rows: tuple[Row, ...]


def backtest_all(
    recordings: Sequence[Recording], stated: Sequence[str], *, orders: int, slots: Sequence[int]
) -> list[Backtest]:
    """The baselines and what is stated, on each recording and each number of slots.

    Args:
        stated: As `stated_strategy` takes them.

    Raises:
        SpecError: one of them is wrong, or cannot be replayed on one of the recordings.
    """
    asked = [[stated_strategy(text, recording) for text in stated] for recording in recordings]
    return [
        Backtest(
            truth=Truth(recording),
            rows=tuple(
                row
                for number in slots
                for row in backtest(
                    recording, [*baselines(recording), *own], orders=orders, slots=number
                )
            ),
        )
        for recording, own in zip(recordings, asked, strict=True)
    ]


def backtest(
    recording: Recording, strategies: Sequence[Strategy], *, orders: int, slots: int
) -> list[Row]:
    """A row for each strategy. Each replay sweeps one of the seeds, in turn, and all strategies are
    given the same orders."""
    truth, fields = Truth(recording), recording.fields
    drawn = [(fields[draw.number % len(fields)], draw) for draw in draws(recording, orders, slots)]
    whole = [replay(field, draw, Fifo()).seconds for field, draw in drawn]
    rows = []
    for strategy in strategies:
        judged = [
            judge(truth, field, strategy.play(field, draw), seconds)
            for (field, draw), seconds in zip(drawn, whole, strict=True)
        ]
        rows.append(summed_up(truth, strategy.name, strategy.budget, slots, judged))
    return rows
