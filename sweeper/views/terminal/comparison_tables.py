"""The cells of a comparison, the same on a screen and on a page."""

import json
from collections.abc import Callable

from sweeper.analysis.comparison.comparison import Comparison, Outcome
from sweeper.analysis.noise import CONFIDENCE
from sweeper.spec.points import swept_text
from sweeper.views.format import count, duration, flops, number, title_of

Table = list[tuple[str, list[str]]]  # labels, with a cell for each sweep

OUTCOME: tuple[tuple[str, Callable[[Outcome], str]], ...] = (
    ("state", lambda o: o.state),
    ("trials ended", lambda o: f"{o.num_ended}/{o.num_trials}"),
    ("completed", lambda o: str(o.num_completed)),
    ("tokens", lambda o: count(o.tokens)),
    ("FLOPs", lambda o: flops(o.flops)),
    ("training time", lambda o: duration(o.train_seconds)),
    ("best trial", lambda o: o.best_trial or "-"),
    ("its steps", lambda o: "-" if o.best_step is None else str(o.best_step)),
    ("validation loss", lambda o: number(o.val_loss)),
    ("perplexity", lambda o: number(o.val_perplexity, 2)),
    ("bits per byte", lambda o: number(o.val_bits_per_byte, 3)),
)


def outcome_table(comparison: Comparison) -> Table:
    """Rows of a label and a cell for each sweep. The values of each winner come last."""
    outcomes = comparison.outcomes
    rows = [(label, [cell(outcome) for outcome in outcomes]) for label, cell in OUTCOME]
    for metric in sorted({metric for outcome in outcomes for metric in outcome.set_losses}):
        rows.append((title_of(metric), [number(o.set_losses.get(metric)) for o in outcomes]))
    if any((outcome.num_seeds or 1) > 1 for outcome in outcomes):
        means = [
            f"{number(o.best_objective)} ({o.num_seeds})" if o.num_seeds else "-" for o in outcomes
        ]
        rows.append(("mean (seeds)", means))
    if any(outcome.stands_by is not None for outcome in outcomes):
        rows.append(("corrected for its seeds", [number(o.stands_by) for o in outcomes]))
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.best_values):
        given = [
            swept_text(o.best_values[name]) if name in o.best_values else "-" for o in outcomes
        ]
        rows.append((f"best {name}", given))
    return rows


def verdict_text(comparison: Comparison) -> str | None:
    """Which sweep is ahead, or that it cannot be said; None if there are no two winners."""
    if comparison.unlike:
        return "Which of them is better cannot be said:"
    if comparison.margin is None:
        return None
    if comparison.best is None:
        return "The best of them are tied."
    ahead = f"{comparison.best} is ahead by {number(comparison.margin)} ({comparison.metric})"
    if comparison.chance is None:
        return f"{ahead}; whether that is more than noise is not known."
    place = "more than" if comparison.margin > comparison.chance else "within"
    limit = f"less than {number(comparison.chance)} can be chance (Tukey, {CONFIDENCE:.0%})"
    return f"{ahead}, which is {place} the noise: {limit}."


def value_tables(comparison: Comparison) -> dict[str, Table]:
    """For each swept name its values, each with the best result in each sweep."""
    return {
        name: [(swept_text(row.value), [number(o) for o in row.objectives]) for row in rows]
        for name, rows in comparison.by_value.items()
    }


def difference_table(comparison: Comparison) -> Table:
    return [(each.setting, list(map(setting_text, each.values))) for each in comparison.differences]


def setting_text(value: object) -> str:
    """A setting as it would be written in the file."""
    if value is None:
        return "-"
    if isinstance(value, bool | int | float | str):
        return swept_text(value)
    return json.dumps(value).replace('"', "")
