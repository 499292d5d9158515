"""A sweep among Ray's metrics, for Prometheus and Grafana: `ray_sweeper_…` on the cluster's ports.

Every 10 s Ray sends what was set to its exporter, and the exporter forgets what has not been set
for 20 s (with the shortest RAY_metrics_report_interval_ms these are 1 s and 2 s). So the metrics of
running trials are set anew every second, and those of a trial that has ended once more, after which
they disappear: of 2,000 trials only those that run are exported. Prometheus keeps the history of
the others.
"""

import math
import time

from ray.util.metrics import Gauge

from sweeper.record.ranking import ranking_of
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.trial import Trial
from sweeper.record.watcher import Watcher
from sweeper.spec.points import point_text
from sweeper.status import Status
from trainable.validation_sets import set_of

EVERY_SECONDS = 1.0
LONGEST_VALUES = 120  # characters of a label

PER_TRIAL = {
    "val_loss": "Validation loss of a running trial, nats a token.",
    "val_perplexity": "Validation perplexity of a running trial.",
    "tokens_per_second": "Training speed of a running trial.",
    "step": "Optimiser steps of a running trial.",
}


class RayMetrics(Watcher):
    """Exports a running sweep."""

    def __init__(self, name: str) -> None:
        self._name = name
        tags = ("sweep", "trial", "values")
        self._of_trial = {
            key: Gauge(f"sweeper_trial_{key}", text, tags) for key, text in PER_TRIAL.items()
        }
        text = "Loss of a running trial on a validation set with a name, nats a token."
        self._of_set = Gauge("sweeper_trial_set_loss", text, (*tags, "set"))
        self._trials = Gauge("sweeper_trials", "Trials by status.", ("sweep", "status"))
        text = "The objective of the best trial; until one has completed, of the leading one."
        self._best = Gauge("sweeper_best_objective", text, ("sweep", "metric", "trial", "values"))
        self._set_at = -math.inf

    def ended(self, trial: Trial) -> None:
        self._set_trial(trial)

    def refresh(self, state: SweepState) -> None:
        if time.monotonic() - self._set_at < EVERY_SECONDS:
            return
        self._set_at = time.monotonic()
        for trial in state.with_status(Status.RUNNING):
            self._set_trial(trial)
        for status, count in trials_by_status(state).items():
            self._trials.set(count, {"sweep": self._name, "status": status.value})
        if (best := best_so_far(state)) is not None:
            metric = state.spec.objective.metric
            self._best.set(best[1], {**self._tags(best[0]), "metric": metric})

    def _set_trial(self, trial: Trial) -> None:
        tags = self._tags(trial)
        evaluated = trial.last_evaluation
        newest = trial.progress or evaluated
        for key, gauge in self._of_trial.items():
            source = evaluated if key.startswith("val_") else newest
            if source is not None and (value := source.value(key)) is not None:
                gauge.set(value, tags)
        for metric, loss in ({} if evaluated is None else evaluated.others).items():
            if (name := set_of(metric)) is not None:
                self._of_set.set(loss, {**tags, "set": name})

    def _tags(self, trial: Trial) -> dict[str, str]:
        # Ray takes only ASCII.
        values = point_text(trial.values).encode("ascii", "backslashreplace").decode()
        return {"sweep": self._name, "trial": trial.trial_id, "values": values[:LONGEST_VALUES]}


def trials_by_status(state: SweepState) -> dict[Status, int]:
    """The number of trials of every status, also if it is 0. Those not created yet are pending."""
    counts = dict.fromkeys(Status, 0)
    for trial in state.trials.values():
        counts[trial.status] += 1
    counts[Status.PENDING] += state.num_trials - len(state.trials)
    return counts


def best_so_far(state: SweepState) -> tuple[Trial, float] | None:
    """The winner; while no trial has completed, the first in `status` that has been evaluated."""
    leader = ranking_of(state).leader
    return None if leader is None or leader.value is None else (leader.trial, leader.value)
