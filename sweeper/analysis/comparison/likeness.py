"""Whether the winners of several sweeps compare: on the same text, over the same windows, after as
many tokens."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from sweeper.analysis.reading.sweep_data import SweepData

PER_BYTE = {"val_bits_per_byte"}  # metrics that do not depend on the vocabulary
WINDOWS = ("context_length", "eval_windows")  # that a loss is measured over
ALIKE = 1.01  # numbers of tokens so far apart are the same


def unlike_of(sweeps: Mapping[str, SweepData], data: Sequence[str | None]) -> Iterator[str]:
    """Why it cannot be said which of these sweeps is better.

    Args:
        sweeps: With a winner each and with one metric, by their names.
        data: What each of them trained on.
    """
    if len(sweeps) < 2:
        return
    if len(set(data)) > 1:
        yield "They trained on different data: the losses do not compare."
    first = next(iter(sweeps.values()))
    winners = [sweep.ranking.winner for sweep in sweeps.values()]
    settings = [winner.config for winner in winners if winner is not None]
    if len({of.get("vocab_size") for of in settings}) > 1 and first.metric not in PER_BYTE:
        yield "Their vocabularies differ: compare bits per byte, not losses."
    if len({tuple(map(of.get, WINDOWS)) for of in settings}) > 1:
        yield f"Their losses are measured over other windows: {' or '.join(WINDOWS)} differ."
    tokens = [tokens_of_best(sweep) or 0 for sweep in sweeps.values()]
    if max(tokens) > ALIKE * min(tokens):
        yield _unequal(sweeps, min(tokens))


def tokens_of_best(sweep: SweepData) -> int | None:
    """How many tokens the winner was trained on."""
    winner = sweep.ranking.winner
    return None if winner is None else winner.step * (winner.tokens_per_step or 0)


def _unequal(sweeps: Mapping[str, SweepData], tokens: int) -> str:
    """With what they had after as many tokens, where all of them were evaluated by then."""
    text = "Their winners were trained on different numbers of tokens."
    values = {name: _value_after(sweep, tokens) for name, sweep in sweeps.items()}
    named = [f"{name} {value:.4f}" for name, value in values.items() if value is not None]
    if len(named) < len(sweeps):
        return text
    longer = [n for n, sweep in sweeps.items() if (tokens_of_best(sweep) or 0) > ALIKE * tokens]
    return (
        f"{text} After {tokens:,} they had: {', '.join(named)}; but there {' and '.join(longer)} "
        "had not come to the end of the schedule."
    )


def _value_after(sweep: SweepData, tokens: int) -> float | None:
    """The best point's mean over its seeds after so many tokens, between the evaluations there;
    None if it was not evaluated by then."""
    assert sweep.ranking.best is not None, "it has won"
    values = []
    for trial in sweep.ranking.best.completed:
        seen = [(each.step, each.value) for each in trial.evaluations if each.value is not None]
        step = tokens / (trial.tokens_per_step or 1)
        if not seen or seen[0][0] > step:
            return None
        steps, losses = np.array(seen).T
        values.append(float(np.interp(step, steps, losses)))
    return fmean(values)
