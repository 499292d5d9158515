"""The sentences of a report: the answer first, then how far it can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.remarks.remark import Remark, foremost
from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary.levels import Level
from sweeper.analysis.summary.summarising import Summary, Winner
from sweeper.record.exhibits.texts import WRITERS
from sweeper.spec.points import Point, point_text
from sweeper.status import Status
from sweeper.views.format import estimate_text, number, optimum_text
from sweeper.views.per_size import sizes_answer, untold_optima
from sweeper.views.report.figures.figure import level_title, metric_title
from sweeper.views.verdict import basis_of, challenge_text, listing, verdict_of, why_none


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the first screen of the report says."""

    headline: str
    lede: str
    optima: tuple[str, ...] = ()
    verdict: str = ""
    verdict_kind: str = ""  # clear, tied, unknown or open
    notes: tuple[str, ...] = ()  # what could not be read
    remarks: tuple[Remark, ...] = ()

    @property
    def foremost(self) -> Sequence[Remark]:
        return foremost(self.remarks)[0]

    @property
    def more_remarks(self) -> Sequence[Remark]:
        """Those that are folded."""
        return foremost(self.remarks)[1]


def unbroken(point: Point) -> str:
    """A point in one line. The space between a name and its value breaks no line."""
    return point_text(point, between="\u00a0")


def answer(summary: Summary) -> Answer:
    notes, remarks = summary.sweep.notes, remarks_of(summary)
    if summary.winner is None:
        headline, lede = _without_winner(summary)
        return Answer(headline=headline, lede=lede, notes=notes, remarks=remarks)
    ended = _has_ended(summary)
    per_size = sizes_answer(summary, finished=ended, named=unbroken)
    if per_size is not None:
        headline, lede, verdict = per_size.headline, per_size.lede, per_size.verdict
    else:
        headline, lede = _headline(summary, summary.winner), _lede(summary, summary.winner)
        verdict = verdict_of(summary.sweep.ranking, finished=ended, named=unbroken)
    return Answer(
        headline=headline,
        lede=lede,
        optima=tuple(map(optimum_text, untold_optima(summary))),
        verdict="" if verdict is None else verdict.text + _estimate(summary.winner),
        verdict_kind="" if verdict is None else verdict.kind,
        notes=notes,
        remarks=remarks,
    )


def _has_ended(summary: Summary) -> bool:
    return summary.sweep.state in ("finished", "unknown")


def _estimate(winner: Winner) -> str:
    return "" if winner.estimate is None else f" {estimate_text(winner.estimate)}"


def _headline(summary: Summary, winner: Winner) -> str:
    """It claims no winner before the end of the sweep, nor one beyond whom it has looked at."""
    noise, so_far = winner.noise, "" if _has_ended(summary) else " so far"
    best = unbroken(winner.best.point)
    if noise is not None and len(noise.tied) > 1:
        return f"{listing([point.point for point in noise.tied], unbroken)} are tied{so_far}"
    if so_far:
        return f"{best} is best so far"
    return f"{best} trains best" + (" of the finalists" if noise and noise.left_out else "")


def _lede(summary: Summary, winner: Winner) -> str:
    sweep, trial = summary.sweep, winner.trial
    value, basis = sweep.ranking.value_of(winner.best), basis_of(sweep.ranking, winner.best)
    parts = [f"{metric_title(sweep)} {number(value)}{basis and f', {basis}'}".capitalize()]
    if not basis and trial.perplexity is not None and sweep.metric != "val_perplexity":
        parts.append(f"perplexity {number(trial.perplexity, 2)}")
    text = ", ".join(parts)
    margin = winner.margin
    if margin is None:
        return f"{text}. There is no other to compare it with."
    challenge = sweep.ranking.challenge
    on = "" if challenge is None else f" {challenge_text(challenge, unbroken)}"
    if margin == challenge:
        return f"{text}.{on}"
    at = ""
    if margin.step is not None:
        stopped = margin.trial.status is Status.STOPPED
        why = "where that one was stopped" if stopped else "the last that both were evaluated at"
        at = f" at step {margin.step:,}, {why}"
    return f"{text}: {margin_text(margin.value)} {unbroken(margin.trial.point)}{at}.{on}"


def margin_text(margin: float) -> str:
    """As `0.0120 ahead of`."""
    return f"{number(abs(margin))} {'behind' if margin < 0 else 'ahead of'}"


def _without_winner(summary: Summary) -> tuple[str, str]:
    sweep = summary.sweep
    statuses = {trial.status for trial in sweep.trials}
    number_of = len(sweep.trials)
    if not number_of:
        return "No trial has been started yet", "There is nothing to compare so far."
    all_of = "The only trial" if number_of == 1 else f"All {number_of} trials"
    remedy = "Lower the learning rates, or warm up for longer."
    if sweep.ranking.none_is_left:
        return "No point is to be taken", f"{why_none(sweep.ranking).capitalize()}. {remedy}"
    if statuses == {Status.DIVERGED}:
        return f"{all_of} diverged", f"The loss was no number any more. {remedy}"
    if statuses == {Status.FAILED}:
        error = (sweep.trials[0].error or "").strip().splitlines()
        return (
            f"{all_of} failed",
            f"The first error: {error[-1]}" if error else "No error is known.",
        )
    ended = all(trial.status.ended for trial in sweep.trials)
    headline = "No trial has completed" + ("" if ended else " yet")
    return headline, _leader_text(summary)


def _leader_text(summary: Summary) -> str:
    """Which trial is ahead at the last level at which they can be compared."""
    if not summary.levels:
        return "None has been evaluated."
    sweep, level = summary.sweep, summary.levels[-1]
    leader = leader_at(summary, level)
    ahead = next(trial for trial in sweep.trials if trial.trial_id == leader)
    of = len(level.values)
    value = number(level.values[leader])
    among = f"of the {of} that got there" if of > 1 else "the only one that got there"
    return (
        f"Ahead {level_title(sweep, level)}, {among}: {unbroken(ahead.point)} "
        f"with {metric_title(sweep)} {value}. That can change until the end."
    )


def leader_at(summary: Summary, level: Level) -> str:
    return min(level.values, key=lambda name: summary.sweep.sign * level.values[name])


@dataclass(frozen=True, kw_only=True)
class WrittenView:
    heading: str
    prompt: str
    text: str


def written_views(sweep: SweepData) -> tuple[WrittenView, ...]:
    """Only of those who are the best two now."""
    if sweep.texts is None:
        return ()
    texts = {text.trial_id: text for text in sweep.texts.texts}
    best = [point.best for point in sweep.ranking.points[:WRITERS]]
    return tuple(
        WrittenView(
            heading=f"Trial {trial.trial_id}, {metric_title(sweep)} {number(trial.value)}",
            prompt=sweep.texts.prompt,
            text=texts[trial.trial_id].written,
        )
        for trial in best
        # a sweep that went on may have trained it further since
        if trial.trial_id in texts and texts[trial.trial_id].step == trial.step
    )
