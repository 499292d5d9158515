"""What the best two have written, as the page shows it."""

from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.views.format import number
from sweeper.views.report.figures.figure import metric_title


@dataclass(frozen=True, kw_only=True)
class WrittenView:
    heading: str
    prompt: str
    text: str


def written_views(sweep: SweepData) -> tuple[WrittenView, ...]:
    if sweep.texts is None:
        return ()
    trials = {trial.trial_id: trial for trial in sweep.trials}
    return tuple(
        WrittenView(
            heading=f"Trial {text.trial_id}, {metric_title(sweep)} "
            + number(trials[text.trial_id].value),
            prompt=sweep.texts.prompt,
            text=text.written,
        )
        for text in sweep.texts.texts
        # a sweep that went on may have trained it further since
        if text.trial_id in trials and trials[text.trial_id].step == text.step
    )
