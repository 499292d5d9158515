"""What is printed before a session and after it: what runs, which trial has won, what to do
next."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from sweeper.record.ranking import Margin, Ranking, ranking_of
from sweeper.record.results.entrant import Entrant
from sweeper.record.results.point_result import PointResult
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.events import Outcome
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text
from sweeper.status import Status
from sweeper.views.format import (
    estimate_text,
    headline,
    measured_text,
    number,
    optimum_text,
    size,
    title_of,
)
from sweeper.views.next_steps import GO_ON_COST, fresh_command, settings_command, train_command
from sweeper.views.terminal.columns import Column, table
from sweeper.views.terminal.trial_table import trial_table
from sweeper.views.verdict import UNDER_WAY, basis_of, challenge_text, verdict_of, why_none
from trainable.settings import counted

if TYPE_CHECKING:
    from sweeper.analysis.summary import Summary
    from sweeper.engine.sweep import Sweep
    from sweeper.views.per_size import SizesAnswer


def print_beginning(console: Console, sweep: "Sweep", slots: int, dashboard: str | None) -> None:
    """
    Args:
        dashboard: A phrase that says where Ray's dashboard is.
    """
    trials = sweep.state.num_trials
    ended = sum(trial.status.ended for trial in sweep.trials.values())
    done = f", {ended} of them ended already" if ended else ""
    about = sweep.plan.spec.description
    console.print(Text.assemble((sweep.folder.name, "bold"), f": {about}" if about else ""))
    console.print(f"{counted(trials, 'trial')}{done}, {slots} at a time; in {sweep.folder.place}/")
    if sweep.journal.torn:
        console.print(
            "The last line of its journal, cut short by a kill or a full disk, was dropped."
        )
    if sweep.plan.dropped:
        console.print(f"{sweep.plan.dropped} combinations were dropped by `constraints:`")
    if sweep.state.warm_start is not None:
        console.print(sweep.state.warm_start.summary())
    if dashboard is not None:
        console.print(f"Ray dashboard: {dashboard}")


def print_end(
    console: Console, state: SweepState, folder: RunFolder, report: Path | str, outcome: Outcome
) -> None:
    """
    Args:
        report: Where it is, or why it could not be written.
    """
    print_summary(console, state, folder)
    console.print(f"\nThe record of this sweep: {folder.place}/")
    if isinstance(report, Path):
        console.print(f"The report: {report}")
    else:
        console.print(f"The report was not written: {report}")
        console.print(f"Try again with:  python -m sweeper report {folder.called}")
    if outcome == "interrupted" and (reached := state.sessions[-1].reached) is not None:
        from sweeper.engine.session.spending import spend_remedy, spend_text  # not for who looks

        console.print(f"{spend_text(reached)}; {spend_remedy(reached, folder)}")
    elif outcome == "interrupted":
        console.print(f"Interrupted. Go on with:  python -m sweeper resume {folder.called}")
    if outcome == "failed":
        console.print("Stopped, since every trial would fail. Once that is mended, go on with:")
        console.print(f"  python -m sweeper resume {folder.called}")


def print_summary(console: Console, state: SweepState, folder: RunFolder) -> None:
    """The ranked trials, the winner, and what to do with it."""
    console.print(trial_table(console, state), soft_wrap=False)
    for watcher, error in state.failed_watchers.items():
        last_line = error.strip().splitlines()[-1]
        console.print(f"{watcher} failed and was left out: {last_line}")
    if state.checkpoints.high_water:
        budget = state.spec.checkpoints.budget
        of = f" (budget {size(budget)})" if budget is not None else ""
        console.print(f"\nCheckpoints had {size(state.checkpoints.high_water)} at most{of}.")
    ranking = ranking_of(state)
    if ranking.best is None:
        console.print(f"\n{why_none(ranking).capitalize()}, so there is no winner.")
        for trial in state.with_status(Status.FAILED)[:1]:
            console.print(
                f"Trial {trial.trial_id} failed: {headline(str(trial.error))}\n"
                f"  all of it: {folder.trial_error(trial.trial_id)}"
            )
        _print_remarks(console, _summary(state, folder))
        return
    _print_findings(console, state, folder, ranking)
    best = ranking.best.best.trial
    _print_commands(console, state, folder, best)


def _print_commands(console: Console, state: SweepState, folder: RunFolder, best: Trial) -> None:
    max_steps = best.config.max_steps
    if not state.spec.is_ours:
        console.print("Its settings, as a file to run with others:")
        console.print(f"  {settings_command(folder)}", style="bold")
        return
    console.print("Train for longer with its settings (--max_steps is free):")
    fresh = fresh_command(folder, best.trial_id, best.config.to_dict(), max_steps)
    console.print(f"  {fresh}", style="bold")
    command = train_command(folder, best.trial_id, best.checkpoint, max_steps)
    if command is not None:
        console.print(f"Or train it further ({GO_ON_COST}):")
        console.print(f"  {command}", style="bold")


def _print_best(
    console: Console, state: SweepState, ranking: Ranking[Entrant], point: PointResult[Entrant]
) -> None:
    best, seeds = point.best.trial, len(point.values)
    of = f", the best of its {seeds} seeds" if seeds > 1 else ""
    last = best.last_evaluation
    assert last is not None, "the best has an objective"
    so_far = "" if state.outcome == "finished" else " so far"
    named = (f"Best{so_far}: {point_text(best.values)}", "bold green")
    console.print(Text.assemble("\n", named, f"  (trial {best.trial_id}{of})"))
    console.print(f"  {measured_text(last, state.spec.objective.metric)}")
    if basis := basis_of(ranking, point):
        metric = title_of(state.spec.objective.metric)
        console.print(f"  {metric} {number(ranking.value_of(point))}, {basis}")
    if ranking.margin is not None:
        console.print(f"  {_margin_text(best, ranking.margin)}")
    if (challenge := ranking.challenge) is not None and challenge != ranking.margin:
        console.print(f"  {challenge_text(challenge)}")
    if (verdict := verdict_of(ranking, finished=state.outcome == "finished")) is not None:
        console.print(f"  {verdict.text}", markup=False)


def _print_findings(
    console: Console, state: SweepState, folder: RunFolder, ranking: Ranking[Entrant]
) -> None:
    """The answer, what to take, what keeps that from being what it seems, and the sweeps to run
    next."""
    # `list` and `status` need no numpy
    from sweeper.views.per_size import sizes_answer, untold_optima

    summary = _summary(state, folder)
    answer = sizes_answer(summary, finished=state.outcome == "finished")
    if answer is None:
        assert ranking.best is not None, "there is a winner"
        _print_best(console, state, ranking, ranking.best)
    else:
        _print_sizes(console, summary, answer)
    if summary.winner is not None and summary.winner.estimate is not None:
        console.print(f"  {estimate_text(summary.winner.estimate)}")
    for optimum in untold_optima(summary):
        console.print(f"  {optimum_text(optimum)}")
    _print_remarks(console, summary)
    if answer is not None and summary.winner is not None:
        best = summary.winner.trial
        console.print(f"The best of all: {point_text(best.point)} (trial {best.trial_id}).")


def _summary(state: SweepState, folder: RunFolder) -> "Summary":
    from sweeper.analysis.reading.loading import of_state
    from sweeper.analysis.summary import summarise

    return summarise(of_state(state, folder))


def _print_remarks(console: Console, summary: "Summary") -> None:
    from sweeper.analysis.remarks.remark import foremost
    from sweeper.analysis.remarks.remarking import remarks_of
    from sweeper.views.prediction import next_sweeps

    remarks = remarks_of(summary)
    told, others = foremost(remarks)
    for remark in told:
        console.print(remark.text, style="yellow")
    if others:
        report = f"python -m sweeper report {RunFolder(Path(summary.sweep.folder)).called}"
        more = counted(len(others), "more remark")
        console.print(f"{more} in the report:  {report}", soft_wrap=True)
    for offer in next_sweeps(summary, remarks):
        console.print(f"{offer.purpose}:")
        console.print(f"  {offer.command}", style="bold", soft_wrap=True)


def _print_sizes(console: Console, summary: "Summary", answer: "SizesAnswer") -> None:
    from sweeper.views.per_size import size_columns

    console.print()
    console.print(answer.headline, style="bold green", markup=False)
    console.print(f"  {answer.lede}", markup=False)
    if answer.verdict is not None:
        console.print(f"  {answer.verdict.text}", markup=False)
    columns = []
    for told in size_columns(summary):
        columns.append(Column(told.heading, told.cells, right=told.is_number, drop=told.drop))
        if told.has_intervals:
            columns.append(Column("best in (95 %)", told.intervals, right=False, drop=4))
    console.print(table(columns, console.width, ascii=console.options.ascii_only))


def _margin_text(best: Trial, margin: Margin[Entrant]) -> str:
    """`ahead of learning_rate 0.01 (trial 0003) by 0.0120`, and where that was measured."""
    place = "behind" if margin.value < 0 else "ahead of"
    by = f"by {number(abs(margin.value))}"
    text = f"{place} {point_text(margin.trial.point)} (trial {margin.trial.trial_id}) {by}"
    if margin.step is None or margin.step == best.step:
        return text
    stopped = margin.trial.status is Status.STOPPED
    why = "where that one stopped" if stopped else "the last that both were evaluated at"
    if margin.trial.status in UNDER_WAY:
        why = UNDER_WAY[margin.trial.status]
    return f"{text} at step {margin.step}, {why}"
