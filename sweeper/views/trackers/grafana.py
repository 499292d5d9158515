"""The board of a sweep for Grafana, over what `sweeper.runtime.ray_tune.metrics` exports."""

from typing import Any

Json = dict[str, Any]

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WHICH = 'sweep=~"$sweep"'
_TRIAL = "trial {{trial}}: {{values}}"

# (title, unit, query, name of a line)
CURVES = [
    ("Validation loss", "none", f"ray_sweeper_trial_val_loss{{{_WHICH}}}", _TRIAL),
    ("Validation perplexity", "none", f"ray_sweeper_trial_val_perplexity{{{_WHICH}}}", _TRIAL),
    (
        "Loss on validation sets with names",
        "none",
        f"ray_sweeper_trial_set_loss{{{_WHICH}}}",
        f"{{{{set}}}}, {_TRIAL}",
    ),
    ("Steps", "none", f"ray_sweeper_trial_step{{{_WHICH}}}", _TRIAL),
    ("Tokens a second", "short", f"ray_sweeper_trial_tokens_per_second{{{_WHICH}}}", _TRIAL),
]
TRIALS = f"sum by (status) (ray_sweeper_trials{{{_WHICH}}})"
ENDED = (
    f'sum(ray_sweeper_trials{{{_WHICH}, status=~"completed|stopped|diverged|failed"}})'
    f" / sum(ray_sweeper_trials{{{_WHICH}}})"
)
BEST = f"ray_sweeper_best_objective{{{_WHICH}}}"
SPEED = f"sum(ray_sweeper_trial_tokens_per_second{{{_WHICH}}})"


def board() -> Json:
    """A dashboard to import into Grafana. It asks which Prometheus to use, and which sweeps to
    show."""
    best = _panel("stat", "Best so far", BEST, "{{metric}}, trial {{trial}}: {{values}}")
    best["options"] = {"textMode": "value_and_name", "reduceOptions": {"calcs": ["lastNotNull"]}}
    ended = _panel("gauge", "Trials ended", ENDED, "ended", unit="percentunit")
    top = [
        (best, 8),
        (ended, 4),
        (_panel("stat", "Tokens a second, all trials", SPEED, "tokens a second", "short"), 4),
        (_stacked(_panel("timeseries", "Trials by status", TRIALS, "{{status}}")), 8),
    ]
    panels, x = [], 0
    for panel, width in top:
        panels.append(panel | {"gridPos": {"x": x, "y": 0, "w": width, "h": 7}})
        x += width
    for index, (title, unit, query, legend) in enumerate(CURVES):
        at = {"x": index % 2 * 12, "y": 7 + index // 2 * 10, "w": 12, "h": 10}
        panels.append(_panel("timeseries", title, query, legend, unit) | {"gridPos": at})
    return {
        "title": "sweeper",
        "uid": "sweeper",
        "tags": ["sweeper", "ray"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), _sweep()]},
        "panels": [panel | {"id": number} for number, panel in enumerate(panels, start=1)],
    }


def queries(board: Json) -> list[str]:
    """Every query of a board, except that of the variable `sweep`."""
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _panel(kind: str, title: str, query: str, legend: str, unit: str = "none") -> Json:
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": "A", "datasource": _SOURCE, "expr": query, "legendFormat": legend}],
    }


def _stacked(panel: Json) -> Json:
    panel["fieldConfig"]["defaults"]["custom"] = {
        "fillOpacity": 60,
        "stacking": {"mode": "normal", "group": "A"},
    }
    return panel


def _source() -> Json:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _sweep() -> Json:
    return {
        "name": "sweep",
        "label": "Sweep",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(ray_sweeper_trials, sweep)",
        "refresh": 2,  # whenever the time range changes
        "multi": True,
        "includeAll": True,
    }
