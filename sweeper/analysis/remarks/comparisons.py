"""Sweeps that were trained for longer or shorter, and the commands that make them alike."""

from collections.abc import Sequence

from sweeper.analysis.comparison.comparison import Comparison, Contender
from sweeper.analysis.comparison.likeness import ALIKE
from sweeper.analysis.remarks.next_sweeps import run_command
from sweeper.analysis.remarks.remark import Offer


def comparable_offers(contenders: Sequence[Contender], comparison: Comparison) -> tuple[Offer, ...]:
    """For each sweep whose winner was trained on fewer tokens than another's: itself, for as many.
    None where its space decides how long a trial is."""
    tokens = [outcome.best_tokens or 0 for outcome in comparison.outcomes]
    offers = []
    for contender, own in zip(contenders, tokens, strict=True):
        winner = contender.sweep.ranking.winner
        swept = {n for key, domain in contender.spec.space.items() for n in domain.sets(key)}
        if winner is None or not winner.tokens_per_step or ALIKE * own >= max(tokens):
            continue
        if not swept.isdisjoint({"max_steps", "batch_size", "context_length"}):
            continue
        steps = -(-max(tokens) // winner.tokens_per_step)
        offers.append(
            Offer(
                purpose=f"Train {contender.name} on as many tokens",
                command=run_command(contender.sweep, {"train.max_steps": steps}),
            )
        )
    return tuple(offers)
