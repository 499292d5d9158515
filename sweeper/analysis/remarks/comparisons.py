"""Sweeps that were not trained or measured alike, and the commands that make them so."""

from collections.abc import Sequence

from sweeper.analysis.comparison.comparison import Comparison, Contender
from sweeper.analysis.comparison.likeness import ALIKE, WINDOWS
from sweeper.analysis.reading.sweep_data import TrialData
from sweeper.analysis.remarks.next_sweeps import run_command
from sweeper.analysis.remarks.remark import Offer

LENGTH = {"max_steps", "batch_size", "context_length"}


def comparable_offers(contenders: Sequence[Contender], comparison: Comparison) -> tuple[Offer, ...]:
    """For each sweep that is not like the one of most tokens: itself on that one's data, over its
    windows, for as many tokens. None where its own space decides the windows or the length."""
    tokens = [outcome.best_tokens or 0 for outcome in comparison.outcomes]
    longest = contenders[tokens.index(max(tokens))]
    offers = []
    for contender in contenders if comparison.unlike else ():
        ours, theirs = contender.sweep.ranking.winner, longest.sweep.ranking.winner
        swept = {n for key, domain in contender.spec.space.items() for n in domain.sets(key)}
        if ours is None or theirs is None or not swept.isdisjoint({*LENGTH, *WINDOWS}):
            continue
        changes: dict[str, object] = {}
        if longest.spec.data is not None and longest.spec.data != contender.spec.data:
            changes["data"] = longest.spec.data
        for name in WINDOWS:
            if name in theirs.config and ours.config.get(name) != theirs.config[name]:
                changes[f"train.{name}"] = theirs.config[name]
        if steps := _steps(ours, theirs):
            changes["train.max_steps"] = steps
        if changes:
            purpose = f"Train {contender.name} as {longest.name} was"
            command = run_command(contender.sweep, changes)
            offers.append(Offer(purpose=purpose, command=command))
    return tuple(offers)


def _steps(ours: TrialData, theirs: TrialData) -> int | None:
    """In which the one is trained on as many tokens as the other; None if it was."""
    context, other = (t.config.get("context_length") for t in (ours, theirs))
    tokens = theirs.step * (theirs.tokens_per_step or 0)
    a_step = ours.tokens_per_step or 0
    if isinstance(context, int) and isinstance(other, int):
        a_step = a_step * other // context
    if not a_step or 1 / ALIKE <= tokens / (ours.step * a_step) <= ALIKE:
        return None
    return -(-tokens // a_step)
