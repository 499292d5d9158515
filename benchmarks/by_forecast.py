"""ASHA by forecasts in the benchmark of answers: on a grid, and where the model chooses the points
too."""

from dataclasses import replace

from sweeper.analysis.backtest.recording import Recording
from sweeper.analysis.backtest.stated import stated_strategy
from sweeper.analysis.backtest.strategies import Strategy, rung_near
from sweeper.spec.scheduler_spec import GRACE_SHARE


def by_forecast(recording: Recording) -> list[Strategy]:
    """At the first rung of the shipped spaces."""
    grace = rung_near(recording, 1 / GRACE_SHARE)
    found = []
    for mode in ("stop", "promote"):
        scheduler = f"{{type: asha, grace_steps: {grace}, mode: {mode}, compare: forecast}}"
        for search, named in (("grid", "asha by forecast"), ("model", "model, asha by forecast")):
            text = f"{{scheduler: {scheduler}, search: {{algorithm: {search}}}}}"
            strategy = stated_strategy(text, recording)
            found.append(replace(strategy, name=f"{named}, {mode}, grace {grace}"))
    return found
