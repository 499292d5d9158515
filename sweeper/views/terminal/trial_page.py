"""`trial NAME ID`: everything that is known about one trial."""

from rich.console import Console
from rich.text import Text

from sweeper.analysis.forecasts import forecasts_of
from sweeper.analysis.monitor import Monitor
from sweeper.record.ranking import ranked
from sweeper.record.state.trial import Trial
from sweeper.spec.points import point_text, swept_text
from sweeper.spec.trainer.config import num_params
from sweeper.status import Status
from sweeper.views.format import count, duration, likely, measured_text, number, size, title_of
from sweeper.views.json_output import checkpoint_file
from sweeper.views.terminal.charts import chart
from sweeper.views.terminal.live_view import screen_width
from sweeper.views.terminal.trial_table import STYLES, rung_step, seconds_left

CHART_HEIGHT = 12
ERROR_LINES = 15
LONGEST_SETTING = 36
INDENT = "  "


def print_trial(console: Console, monitor: Monitor, trial: Trial) -> None:
    place = 1 + ranked(monitor.state).index(trial)
    newest = trial.progress or trial.last_evaluation
    console.print(
        Text.assemble(
            (f"Trial {trial.trial_id}", "bold"),
            f" of {monitor.folder.name}: ",
            (trial.status.value, STYLES[trial.status]),
            f", step {newest.step if newest else 0}/{trial.config.max_steps}, "
            f"number {place} of {len(monitor.state.trials)}",
        )
    )
    for line in _facts(monitor, trial, ascii=console.options.ascii_only):
        console.print(INDENT + line)
    _print_chart(console, monitor, trial)
    console.print("\nSettings")
    _print_settings(console, trial)
    if trial.error:
        _print_error(console, monitor, trial, trial.error)


def _facts(monitor: Monitor, trial: Trial, *, ascii: bool) -> list[str]:
    lines = [point_text(trial.values)]
    last = trial.last_evaluation
    if last is not None:
        measured = measured_text(last, monitor.state.spec.objective.metric)
        lines.append(f"{measured} at step {last.step}")
        if last.val_loss_ema is not None:
            lines.append(f"validation loss of the averaged weights {number(last.val_loss_ema)}")
    if last is not None and monitor.state.spec.is_ours:
        lines.append(
            f"gradient norm {number(last.grad_norm, 2)}, update {number(last.update_ratio, 6)} of "
            f"the weights, largest activation {number(last.max_activation, 1)}, "
            f"largest logit {number(last.max_logit, 1)}"
        )
        lines.append(
            f"{count(num_params(trial.config))} parameters, {count(last.tokens)} tokens in "
            f"{duration(last.train_seconds)}, {count(last.tokens_per_second)} tokens/s"
        )
    if (told := forecasts_of(monitor.state).get(trial.trial_id)) is not None:
        what = title_of(monitor.state.spec.objective.metric)
        lines.append(f"likely final {what} {likely(told, ascii=ascii)}")
    if trial.status is Status.RUNNING and (left := seconds_left(trial)) is not None:
        lines.append(f"{duration(left)} left")
    if trial.rung is not None:
        lines.append(f"reached the rung at step {rung_step(monitor.state, trial)}")
    if trial.taken_from is not None:
        lines.append(f"taken from {trial.taken_from}, where it has run with all settings as here")
    if trial.stopped_by_hand:
        lines.append("stopped by hand: python -m sweeper stop")
    if trial.forked_from is not None:
        lines.append(f"forked from trial {trial.forked_from} at step {trial.forked_at}")
    if trial.attempts > 1:
        lines.append(f"{trial.attempts} attempts")
    checkpoint = checkpoint_file(monitor.folder, trial)
    if checkpoint is not None:
        lines.append(f"checkpoint {checkpoint} ({size(checkpoint.stat().st_size)})")
    return lines


def _print_chart(console: Console, monitor: Monitor, trial: Trial) -> None:
    ascii = console.options.ascii_only
    training, validation = (".", "o") if ascii else ("·", "●")
    rows = monitor.follower.rows(trial, after=0)
    lines = chart(
        [
            (training, [(row.step, row.train_loss) for row in rows]),
            (validation, [(seen.step, seen.val_loss) for seen in trial.evaluations]),
        ],
        width=screen_width(console),
        height=CHART_HEIGHT,
    )
    if not lines:
        console.print("\nNo loss has been measured yet.")
        return
    console.print(f"\nvalidation loss {validation}, training loss {training}, by step")
    for line in lines:
        console.print(line)


def _print_settings(console: Console, trial: Trial) -> None:
    """Print them side by side if there is room; long ones (the data) on lines of their own."""
    width = screen_width(console)
    cells = [f"{name} {swept_text(value)}" for name, value in trial.config.to_dict().items()]
    short = [cell for cell in cells if len(cell) <= LONGEST_SETTING]
    room = min(width, max(map(len, short))) + len(INDENT) + 1
    at_once = max(1, width // room)
    lines = [cell for cell in cells if cell not in short]
    num_rows = -(-len(short) // at_once)
    for row in range(num_rows):
        lines.append("".join(f"{cell:<{room}}" for cell in short[row::num_rows]).rstrip())
    for line in lines:
        console.print(INDENT + line)


def _print_error(console: Console, monitor: Monitor, trial: Trial, error: str) -> None:
    lines = error.strip().splitlines()
    console.print("\nError", style="red")
    if len(lines) > ERROR_LINES:
        console.print(f"  … all {len(lines)} lines: {monitor.folder.trial_error(trial.trial_id)}")
    for line in lines[-ERROR_LINES:]:
        console.print(INDENT + line)
