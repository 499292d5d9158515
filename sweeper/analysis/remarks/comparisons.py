"""Sweeps that were not trained or measured alike, and the commands that make them so."""

from collections.abc import Sequence

from sweeper.analysis.comparison.comparison import Comparison, Contender
from sweeper.analysis.comparison.likeness import ALIKE, PER_BYTE, WINDOWS
from sweeper.analysis.reading.sweep_data import TrialData
from sweeper.analysis.remarks.next_sweeps import run_command
from sweeper.analysis.remarks.remark import Offer

LENGTH = {"max_steps", "batch_size", "context_length"}


def comparable_offers(contenders: Sequence[Contender], comparison: Comparison) -> tuple[Offer, ...]:
    """For each sweep that is not like the one of most tokens: itself on that one's data, over its
    windows, for as many tokens. None where that would leave a difference."""
    tokens = [outcome.best_tokens or 0 for outcome in comparison.outcomes]
    longest = contenders[tokens.index(max(tokens))]
    offers = []
    for contender in contenders if comparison.unlike else ():
        if changes := _changes(contender, longest, comparison.metric):
            purpose = f"Train {contender.name} as {longest.name} was"
            command = run_command(contender.sweep, changes)
            offers.append(Offer(purpose=purpose, command=command))
    return tuple(offers)


def _changes(contender: Contender, longest: Contender, metric: str) -> dict[str, object]:
    """That make the one as the other; nothing where it is so, or where they cannot: as its own
    space decides the windows or the length, or its vocabulary is not that of its data."""
    ours, theirs = contender.sweep.ranking.winner, longest.sweep.ranking.winner
    swept = {n for key, domain in contender.spec.space.items() for n in domain.sets(key)}
    lengths = {trial.max_steps for trial in contender.sweep.trials}
    decides = not swept.isdisjoint({*LENGTH, *WINDOWS}) or len(lengths) > 1
    if ours is None or theirs is None or decides:
        return {}
    changes: dict[str, object] = {}
    if longest.spec.data != contender.spec.data:
        changes["data"] = longest.spec.data
    own = longest.spec.data is None or not changes  # then the vocabulary is not new data's
    differs = ours.config.get("vocab_size") != theirs.config.get("vocab_size")
    if own and differs and metric not in PER_BYTE:
        return {}
    for name in WINDOWS:
        if ours.config.get(name) != theirs.config.get(name):
            changes[f"train.{name}"] = theirs.config.get(name)
    steps = _steps(ours, theirs)
    if steps is None or any(changes.get(f"train.{name}", 0) is None for name in WINDOWS):
        return {}
    return changes if steps == ours.step else changes | {"train.max_steps": steps}


def _steps(ours: TrialData, theirs: TrialData) -> int | None:
    """In which the one is trained on as many tokens as the other; None if no number of them is."""
    context, other = (t.config.get("context_length") for t in (ours, theirs))
    tokens = theirs.step * (theirs.tokens_per_step or 0)
    a_step = ours.tokens_per_step or 0
    if isinstance(context, int) and isinstance(other, int):
        a_step = a_step * other // context
    if not a_step:  # another trainer's are not known
        return None if tokens else ours.step
    if 1 / ALIKE <= tokens / (ours.step * a_step) <= ALIKE:
        return ours.step
    steps = -(-tokens // a_step)
    return steps if steps * a_step <= ALIKE * tokens else None
