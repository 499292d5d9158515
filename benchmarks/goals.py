"""The goals of an answer, and how far they are met: what benchmarks/answer.py prints last."""

from collections.abc import Iterator, Mapping, Sequence

from sweeper.analysis.backtest.judging import Row

GOOD = 0.1  # deviations of the seeds: the regret that is asked for
RARELY = 0.01  # of the replays may name one that is worse by more than a deviation
OURS = "model"
BY_ITSELF = "model, to its own end"
WHOLE = "full grid"


def goals(found: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """
    Args:
        found: The rows of each family.
    """
    families = {name: rows for name, rows in found.items() if any(r.budget for r in rows)}
    yield "\n## Goals: what is named, and for how much\n"
    yield f"Regret in deviations of the seeds; {GOOD} or less is good, and > 1 sd in at most 1 %.\n"
    yield "| family | good from | to its own end | the whole grid |"
    yield "|---|---|---|---|"
    for name, rows in families.items():
        ended = [_told(row) for row in rows if row.strategy in (BY_ITSELF, WHOLE)][::-1]
        yield f"| {name} | {_good_from(rows)} | {' | '.join(ended)} |"
    budgets = sorted({row.budget for rows in families.values() for row in rows if row.budget})
    yield "\n## Goals: regret beside the best of all others at the same tokens\n"
    yield "The best of so many with few replays is in part the luckiest of them.\n"
    yield f"| family | {' | '.join(f'{budget:.0%}' for budget in budgets)} |"
    yield f"|---|{'---|' * len(budgets)}"
    for name, rows in families.items():
        yield f"| {name} | {' | '.join(_beside(rows, budget) for budget in budgets)} |"


def _good_from(rows: Sequence[Row]) -> str:
    good = [r.budget for r in rows if r.strategy == OURS and r.budget and _is_good(r)]
    return f"{min(good):.0%}" if good else "not by 40%"


def _is_good(row: Row) -> bool:
    if row.regret_deviations is None or row.false_winners is None:  # not known
        return False
    return row.regret_deviations <= GOOD and row.false_winners <= RARELY


def _told(row: Row) -> str:
    false = "-" if row.false_winners is None else f"{row.false_winners:.0%}"
    return f"{row.tokens:.0%}: {_regret(row)}, {false} > 1 sd"


def _regret(row: Row) -> str:
    if row.regret_deviations is None:
        return "-"
    error = f" ± {row.regret_error:.2f}" if row.regret_error else ""
    few = f" in {row.replays} replays" if row.regret_error is None else ""
    return f"{row.regret_deviations:.2f}{error}{few}"


def _beside(rows: Sequence[Row], budget: float) -> str:
    at = [row for row in rows if row.budget == budget]
    ours = next((row for row in at if row.strategy == OURS), None)
    others = [row for row in at if not row.strategy.startswith(OURS)]
    if ours is None or not others:
        return "-"
    best = min(others, key=lambda row: row.regret)
    return f"{_regret(ours)} : {_regret(best)} ({best.strategy})"
