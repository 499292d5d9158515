"""The `--json` of the commands: a sweep for scripts. What was not measured is null."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.analysis.forecasts import Forecast, forecasts_of
from sweeper.analysis.monitor import Monitor
from sweeper.analysis.noise import noise_in
from sweeper.record.ranking import Ranking, objective, ranked, ranking_of
from sweeper.record.results.entrant import Entrant
from sweeper.record.results.point_result import PointResult
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.spec.trainer.settings import OWNED
from sweeper.status import Status
from sweeper.views.next_steps import fresh_command, train_command
from sweeper.views.verdict import verdict_of
from trainable.errors import UserError

if TYPE_CHECKING:
    from sweeper.analysis.summary.optimum import OptimumInterval
    from sweeper.analysis.summary.summarising import Summary

JsonObject = dict[str, object]
MEASURED = (
    "val_loss",
    "val_perplexity",
    "val_bits_per_byte",
    "val_loss_ema",
    "train_loss",
    "tokens",
    "tokens_per_second",
    "train_seconds",
)


def sweep_json(monitor: Monitor) -> JsonObject:
    """A sweep: its state, the number of its trials by status, its best, how long it will still
    take."""
    state, left, best = monitor.state, monitor.time_left(), monitor.best
    counts = {status.value: len(state.with_status(status)) for status in Status}
    return {
        "name": monitor.folder.name,
        "path": str(monitor.folder.path),
        "state": monitor.state_name,
        "description": state.spec.description,
        "started": state.sessions[0].started.isoformat() if state.sessions else None,
        "objective": state.spec.objective.model_dump(),
        "trials": {"total": monitor.num_trials, "ended": monitor.num_ended, **counts},
        "seconds_left": None if left is None else asdict(left),
        "best": None if best is None else trial_json(state, best, monitor.folder),
    }


def unreadable_json(folder: RunFolder, error: UserError) -> JsonObject:
    """A sweep that cannot be read, and why."""
    return {
        "name": folder.name,
        "path": str(folder.path),
        "state": "unreadable",
        "error": str(error),
    }


def status_json(monitor: Monitor) -> JsonObject:
    """A sweep with all its trials, best first."""
    forecasts = forecasts_of(monitor.state)
    trials = [
        trial_json(monitor.state, trial, monitor.folder, forecasts.get(trial.trial_id))
        for trial in ranked(monitor.state)
    ]
    return {**sweep_json(monitor), "ranking": trials}


def trial_json(
    state: SweepState, trial: Trial, folder: RunFolder, forecast: Forecast | None = None
) -> JsonObject:
    """A trial: its values, its status, its last evaluation, where it is expected to end."""
    last = trial.last_evaluation
    newest = trial.progress or last
    checkpoint = checkpoint_file(folder, trial)
    return {
        "trial_id": trial.trial_id,
        "status": trial.status.value,
        "values": trial.values,
        "objective": objective(state, trial),
        "step": newest.step if newest else 0,
        "max_steps": trial.config.max_steps,
        "rung": trial.rung,
        "attempts": trial.attempts,
        "taken_from": trial.taken_from,
        "forked_from": trial.forked_from,
        "forked_at": trial.forked_at or None,
        "stopped_by_hand": trial.stopped_by_hand,
        **{name: last.value(name) if last else None for name in MEASURED},
        "others": dict(last.others) if last else {},
        "forecast": None if forecast is None else asdict(forecast),
        "checkpoint": str(checkpoint) if checkpoint else None,
        "error": trial.error,
    }


def whole_trial_json(monitor: Monitor, trial: Trial) -> JsonObject:
    """A trial with its config and every evaluation."""
    forecast = forecasts_of(monitor.state).get(trial.trial_id)
    return {
        **trial_json(monitor.state, trial, monitor.folder, forecast),
        "config": trial.config.to_dict(),
        "evaluations": [seen.to_dict() for seen in trial.evaluations],
    }


def best_json(monitor: Monitor, best: Trial) -> JsonObject:
    """The winner, by how much it is ahead, what is tied with it, and the command that trains it
    further.

    `objective` is the trial's own; `value` is that of its point, by which it is the best.
    """
    from sweeper.views.per_size import sizes_answer, sizes_json  # a list of sweeps needs no summary

    ranking = ranking_of(monitor.state)
    assert ranking.best is not None, "there is a winner"
    noise, finished = noise_in(ranking), monitor.state_name == "finished"
    summary = _summary(monitor)
    per_size = sizes_answer(summary, finished=finished)
    verdict = verdict_of(ranking, finished=finished) if per_size is None else per_size.verdict
    return {
        "sweep": monitor.folder.name,
        **trial_json(monitor.state, best, monitor.folder),
        "config": best.config.to_dict(),
        **_point_json(ranking, ranking.best),
        "runner_up": _runner_up_json(ranking, best),
        "verdict": None if verdict is None else asdict(verdict),
        "tied": [_point_json(ranking, other) for other in noise.tied[1:]]
        if noise is not None
        else None,
        "sizes": sizes_json(summary),
        **_findings_json(summary),
        "command": further_command(monitor, best),
        "fresh_command": fresh_command(
            monitor.folder, best.trial_id, best.config.to_dict(), best.config.max_steps
        )
        if monitor.state.spec.is_ours
        else None,
    }


def _summary(monitor: Monitor) -> "Summary":
    from sweeper.analysis.reading.loading import of_state
    from sweeper.analysis.summary import summarise

    return summarise(of_state(monitor.state, monitor.folder))


def _findings_json(summary: "Summary") -> JsonObject:
    """What to take of each numeric setting, what keeps the answer from being what it seems, and the
    commands of the sweeps to run next."""
    from sweeper.analysis.remarks.remarking import remarks_of
    from sweeper.views.prediction import next_sweeps

    remarks = remarks_of(summary)
    return {
        "estimated_deviation": None if summary.winner is None else summary.winner.estimate,
        "optima": [_optimum_json(optimum) for optimum in summary.optima],
        "remarks": [{"kind": r.kind, "text": r.text} for r in remarks],
        "next_sweeps": [asdict(offer) for offer in next_sweeps(summary, remarks)],
    }


def _optimum_json(optimum: "OptimumInterval") -> JsonObject:
    """`rung` is where the trials were compared, on the scheduler's clock; null: at their ends."""
    told = asdict(replace(optimum, level=None, valley=None))
    del told["level"], told["valley"]
    return {**told, "rung": None if optimum.level is None else optimum.level.rung}


def _point_json(ranking: Ranking[Entrant], point: PointResult[Entrant]) -> JsonObject:
    return {
        "point": point.point,
        "value": ranking.value_of(point),
        "mean": point.mean,
        "deviation": point.deviation,
        "trial_ids": [trial.trial_id for trial in point.completed],
    }


def _runner_up_json(ranking: Ranking[Entrant], best: Trial) -> JsonObject | None:
    """The next best. `margin` is above 0 if the winner is ahead of it."""
    margin = ranking.margin
    if margin is None:
        return None
    return {
        "trial_id": margin.trial.trial_id,
        "values": margin.trial.trial.values,
        "step": best.step if margin.step is None else margin.step,
        "margin": margin.value,
    }


def further_command(monitor: Monitor, trial: Trial) -> str | None:
    """The command that trains a trial further; None if its checkpoint is gone, or another's."""
    folder = monitor.folder
    if not monitor.state.spec.is_ours:
        return None
    return train_command(folder, trial.trial_id, trial.checkpoint, trial.config.max_steps)


def as_search_space(state: SweepState, trial: Trial) -> JsonObject:
    """A search-space file of this one trial, to run as it is, or with another `space:`. A file
    sweeps something: here its one seed, or of a program that may take none its first setting."""
    settings = {k: v for k, v in trial.config.to_dict().items() if k not in OWNED}
    trainer = state.spec.trainer
    swept = "seed" if trainer is None else next(iter(trainer.settings), "max_steps")
    value = settings.pop(swept)
    return {
        "name": state.spec.name,
        **({"data": state.spec.data} if trainer is None else {"trainer": trainer.model_dump()}),
        "train": settings,
        "space": {swept: {"grid": [value]}},
        "objective": state.spec.objective.model_dump(),
        "scheduler": {"type": "fifo"},
    }


def checkpoint_file(folder: RunFolder, trial: Trial) -> Path | None:
    """The newest checkpoint of a trial, if it is still there."""
    if trial.checkpoint is None:
        return None
    path = folder.trial(trial.trial_id) / trial.checkpoint / CHECKPOINT_FILE
    return path if path.is_file() else None
